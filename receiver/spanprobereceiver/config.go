package spanprobereceiver

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/confmap"

	"github.com/spanprobe/spanprobe/internal/engine"
)

// Validate joins all that is wrong with the configuration. It looks at nothing
// but the configuration: what the machine lacks is Start's to say.
func (c *Config) Validate() error {
	config, err := c.engine()
	return errors.Join(config.Validate(), err)
}

// engine is the configuration in the engine's form. The error is of a value that has none there.
func (c *Config) engine() (engine.Config, error) {
	sampler, err := engine.NewSampler(c.Sampling.Ratio, c.Sampling.ParentBased)
	return engine.Config{
		Targets:           engineTargets(c.Targets),
		Exclude:           engineTargets(c.Exclude),
		URLQuery:          engine.QueryMode(c.URLQuery),
		Instrumented:      engine.InstrumentedMode(c.Instrumented),
		Sampler:           sampler,
		Inject:            engine.InjectMode(c.Propagation.Inject),
		GoroutineAncestry: c.Propagation.GoroutineAncestry,
		RingBufferSize:    c.RingBufferSize,
		MaxActiveSpans:    c.MaxActiveSpans,
	}, err
}

func engineTargets(entries []Target) []engine.Target {
	converted := make([]engine.Target, 0, len(entries))
	for _, t := range entries {
		converted = append(
			converted,
			engine.Target{Exe: t.Exe, Port: t.Port, PID: t.PID, ServiceName: t.ServiceName},
		)
	}
	return converted
}

// Unmarshal refuses a key that is there and says nothing: the entry would select more than it seems
// to.
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
			errs = append(
				errs,
				fmt.Errorf(
					"%s: it is empty or 0, which selects nothing: give a value, or remove the key",
					given.key,
				),
			)
		}
	}
	return errors.Join(errs...)
}
