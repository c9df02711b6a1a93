//go:build !linux || !(amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"fmt"
	"runtime"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

func createTraces(
	context.Context, receiver.Settings, component.Config, consumer.Traces,
) (receiver.Traces, error) {
	return nil, fmt.Errorf(
		"the spanprobe receiver works with eBPF, on Linux on amd64 and arm64; this is %s on %s",
		runtime.GOOS, runtime.GOARCH,
	)
}
