package spanprobereceiver

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"go.opentelemetry.io/collector/confmap"

	"github.com/spanprobe/spanprobe/internal/engine"
)

const (
	maxPort = 1<<16 - 1
	// The page size of amd64, and the smallest of arm64. A machine with larger
	// pages needs more, which Start says.
	minRingBufferSize = 4 << 10
	maxRingBufferSize = 1 << 30
	maxMaxActiveSpans = 1 << 20

	injectAuto = "auto"
	injectOff  = "off"
)

// Validate joins all that is wrong with the configuration. It looks at nothing
// but the configuration: what the machine lacks is Start's to say.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Targets) == 0 {
		errs = append(errs, engine.ValidateTargets(nil, nil)) // shows an example
	}
	for i, entry := range c.Targets {
		errs = append(errs, entry.mistakes(fmt.Sprintf("targets[%d]", i))...)
	}
	for i, entry := range c.Exclude {
		key := fmt.Sprintf("exclude[%d]", i)
		errs = append(errs, entry.mistakes(key)...)
		if entry.ServiceName != "" {
			errs = append(errs, fmt.Errorf("%s.service_name: what is excluded has no service name: remove the key", key))
		}
	}
	if modes := []engine.QueryMode{engine.QueryRedact, engine.QueryKeep, engine.QueryDrop}; !slices.Contains(modes, engine.QueryMode(c.URLQuery)) {
		errs = append(errs, fmt.Errorf("url_query: %q is none of %q", c.URLQuery, modes))
	}
	if modes := []string{injectAuto, injectOff}; !slices.Contains(modes, c.Propagation.Inject) {
		errs = append(errs, fmt.Errorf("propagation.inject: %q is none of %q", c.Propagation.Inject, modes))
	}
	if modes := []engine.InstrumentedMode{engine.InstrumentedSkip, engine.InstrumentedTrace}; !slices.Contains(modes, engine.InstrumentedMode(c.Instrumented)) {
		errs = append(errs, fmt.Errorf("instrumented: %q is none of %q", c.Instrumented, modes))
	}
	if _, err := engine.NewSampler(c.Sampling.Ratio, c.Sampling.ParentBased); err != nil {
		errs = append(errs, fmt.Errorf("sampling.ratio: %w", err))
	}
	if n := c.RingBufferSize; n < minRingBufferSize || n > maxRingBufferSize || bits.OnesCount(uint(n)) != 1 {
		errs = append(errs, fmt.Errorf("ring_buffer_size: %d is no power of two from %d to %d", n, minRingBufferSize, maxRingBufferSize))
	}
	if n := c.MaxActiveSpans; n < 1 || n > maxMaxActiveSpans {
		errs = append(errs, fmt.Errorf("max_active_spans: %d is not from 1 to %d", n, maxMaxActiveSpans))
	}
	return errors.Join(errs...)
}

// Unmarshal refuses a key that is there and says nothing: the entry would select more than it seems to.
func (t *Target) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(t); err != nil {
		return err
	}
	var errs []error
	for _, given := range []struct {
		key   string
		empty bool
	}{{"exe", t.Exe == ""}, {"port", t.Port == 0}, {"pid", t.PID == 0}} {
		if given.empty && conf.IsSet(given.key) {
			errs = append(errs, fmt.Errorf("%s: it is empty or 0, which selects nothing: give a value, or remove the key", given.key))
		}
	}
	return errors.Join(errs...)
}

// mistakes lists what is wrong with one entry, each with its key. It is not
// called Validate: the Collector would call that too, and say everything twice.
func (t Target) mistakes(key string) []error {
	if t.Exe == "" && t.Port == 0 && t.PID == 0 {
		return []error{fmt.Errorf("%s: selects nothing: give exe, port or pid", key)}
	}
	var errs []error
	if t.Port < 0 || t.Port > maxPort {
		errs = append(errs, fmt.Errorf("%s.port: %d is no TCP port: it must be from 1 to %d", key, t.Port, maxPort))
	}
	// The error for an entry of one key begins with the name of the key.
	for _, single := range []engine.Target{{Exe: t.Exe}, {PID: t.PID}} {
		if single == (engine.Target{}) {
			continue
		}
		if err := single.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s.%w", key, err))
		}
	}
	return errs
}
