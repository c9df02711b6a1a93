package spanprobereceiver

import (
	"go.opentelemetry.io/collector/receiver"

	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
)

// NewFactory returns the factory of the spanprobe receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithTraces(createTraces, metadata.TracesStability),
	)
}
