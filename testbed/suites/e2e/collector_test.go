// Package e2e tests the collector that ocb builds, as a user runs it: from its
// configuration file to OTLP and Jaeger. It needs root and `make build`.
package e2e

import (
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/collector"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

type settings = collector.Settings

// targets are what a user writes of the receiver: which targets there are.
func targets(all ...settings) settings { return settings{"targets": all} }

// configuration has a receiver, and where its spans go.
func configuration(receiver settings, endpoint string) collector.Config {
	return collector.Config{
		Settings: receiver, Endpoint: endpoint,
		BatchTimeout: 100 * time.Millisecond,
	}
}

// run starts a collector. It ends with the test at the latest.
func run(t *testing.T, c collector.Config) *collector.Collector {
	t.Helper()
	return runVia(t, nil, c)
}

// runVia is run from another thread: see process.Options.
func runVia(
	t *testing.T, via func(func() error) error, config collector.Config,
) *collector.Collector {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	c, err := collector.Start(t.TempDir(), collector.Binary(root), config,
		process.Options{Via: via})
	if err != nil {
		t.Fatalf("%v: `make build` makes it", err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the collector's log:\n%s", log(t, c))
		}
	})
	return c
}

func log(t *testing.T, c *collector.Collector) string {
	t.Helper()
	text, err := c.Log()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// says waits until the collector says something.
func says(t *testing.T, c *collector.Collector, text string) {
	t.Helper()
	if err := c.AwaitLog(t.Context(), tracing.Patience, text); err != nil {
		t.Fatal(err)
	}
}

// traces waits until the collector says that it traces a process.
func traces(t *testing.T, c *collector.Collector) {
	t.Helper()
	says(t, c, "Tracing a target")
}
