package receiver

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"go.opentelemetry.io/collector/component"

	"github.com/spanprobe/spanprobe/internal/engine"
)

// Config is the configuration of a spanprobe receiver.
type Config struct {
	// Targets selects the processes to trace: those that match any entry.
	Targets []Target `mapstructure:"targets"`
	// Exclude takes processes out again: those that match any entry.
	Exclude []Target `mapstructure:"exclude"`
	// URLQuery says what becomes of url.query: "redact" keeps the keys and
	// replaces each value, "keep" leaves it as it came, "drop" removes it.
	URLQuery string `mapstructure:"url_query"`
	// RingBufferSize is the room for finished spans between the kernel and the
	// collector, in bytes: a power of two of at least 4096.
	RingBufferSize int `mapstructure:"ring_buffer_size"`
	// MaxActiveSpans is how many operations may be in flight at a time, over all
	// targets.
	MaxActiveSpans int `mapstructure:"max_active_spans"`

	_ struct{}
}

// Target selects processes. All keys that are set must match.
type Target struct {
	// Exe is a glob on the executable's path as the process's own mount
	// namespace names it; ** crosses slashes.
	Exe string `mapstructure:"exe"`
	// Port is a TCP port that the process listens on in its own network namespace.
	Port int `mapstructure:"port"`
	// PID is a process id of the host's pid namespace.
	PID int `mapstructure:"pid"`
	// ServiceName is the service.name of what matches; it selects nothing.
	ServiceName string `mapstructure:"service_name"`

	_ struct{}
}

const (
	defaultRingBufferSize = 4 << 20
	defaultMaxActiveSpans = 16384

	minRingBufferSize = 4096
	maxRingBufferSize = 1 << 30
	maxMaxActiveSpans = 1 << 20
	maxPort           = 1<<16 - 1
)

func createDefaultConfig() component.Config {
	return &Config{
		URLQuery:       string(engine.QueryRedact),
		RingBufferSize: defaultRingBufferSize,
		MaxActiveSpans: defaultMaxActiveSpans,
	}
}

var queryModes = []engine.QueryMode{engine.QueryRedact, engine.QueryKeep, engine.QueryDrop}

// Validate joins all that is wrong with the configuration. It looks at nothing
// but the configuration: what the machine lacks is Start's to say.
func (c *Config) Validate() error {
	var errs []error
	for key, entries := range map[string][]Target{"targets": c.Targets, "exclude": c.Exclude} {
		for i, entry := range entries {
			if entry.Port < 0 || entry.Port > maxPort {
				errs = append(errs, fmt.Errorf("%s[%d].port: %d is no TCP port (1 to %d)", key, i, entry.Port, maxPort))
			}
		}
	}
	errs = append(errs, engine.ValidateTargets(targets(c.Targets), targets(c.Exclude)))
	if !slices.Contains(queryModes, engine.QueryMode(c.URLQuery)) {
		errs = append(errs, fmt.Errorf("url_query: %q is none of %q", c.URLQuery, queryModes))
	}
	if n := c.RingBufferSize; n < minRingBufferSize || n > maxRingBufferSize || bits.OnesCount(uint(n)) != 1 {
		errs = append(errs, fmt.Errorf("ring_buffer_size: %d is no power of two from %d to %d", n, minRingBufferSize, maxRingBufferSize))
	}
	if n := c.MaxActiveSpans; n < 1 || n > maxMaxActiveSpans {
		errs = append(errs, fmt.Errorf("max_active_spans: %d is not from 1 to %d", n, maxMaxActiveSpans))
	}
	return errors.Join(errs...)
}

// targets converts entries. A port that is out of range becomes one that is in
// range, so that the entry counts as having one; Validate names it itself.
func targets(entries []Target) []engine.Target {
	converted := make([]engine.Target, 0, len(entries))
	for _, entry := range entries {
		converted = append(converted, engine.Target{
			Exe: entry.Exe, Port: uint16(min(max(entry.Port, 0), maxPort)), PID: entry.PID, ServiceName: entry.ServiceName,
		})
	}
	return converted
}
