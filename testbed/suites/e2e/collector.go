// Package e2e tests the collector that ocb builds, as a user runs it: from its
// configuration file to OTLP and Jaeger. It needs root and `make build`.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// collector is a running dist/otelcol-spanprobe.
type collector struct {
	command *exec.Cmd
	log     log
	ended   chan error
}

// log is what a collector wrote. Safe for concurrent use.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// configuration is what a user writes: a receiver, and where its spans go.
func configuration(receiver, endpoint string) string {
	return fmt.Sprintf(`receivers:
  spanprobe:
    %s
processors:
  batch:
    timeout: 100ms
exporters:
  otlp_grpc:
    endpoint: %s
    tls: {insecure: true}
service:
  telemetry:
    metrics: {level: none}
  pipelines:
    traces:
      receivers: [spanprobe]
      processors: [batch]
      exporters: [otlp_grpc]
`, strings.ReplaceAll(strings.TrimSpace(receiver), "\n", "\n    "), endpoint)
}

// run starts a collector. It ends with the test at the latest.
func run(t *testing.T, configuration string) *collector {
	t.Helper()
	return runBy(t, configuration, (*exec.Cmd).Start)
}

// runBy is run with a way to start it.
func runBy(t *testing.T, configuration string, start func(*exec.Cmd) error) *collector {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &collector{command: exec.Command(filepath.Join(root, "dist", "otelcol-spanprobe"), "--config", file), ended: make(chan error, 1)}
	c.command.Stdout, c.command.Stderr = &c.log, &c.log
	if err := start(c.command); err != nil {
		t.Fatalf("start the collector that `make build` makes: %v", err)
	}
	go func() { c.ended <- c.command.Wait() }()
	t.Cleanup(func() {
		if c.command.ProcessState == nil {
			_ = c.command.Process.Kill() // it may end by itself meanwhile
			t.Logf("the collector was killed: %v", <-c.ended)
		}
		if t.Failed() {
			t.Logf("the collector's log:\n%s", c.log.String())
		}
	})
	return c
}

// stop ends it as an operator does, and says how it ended.
func (c *collector) stop() error {
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return c.wait()
}

// kill ends it without giving it a chance to clean up.
func (c *collector) kill() error {
	if err := c.command.Process.Kill(); err != nil {
		return err
	}
	if err := c.wait(); err == nil {
		return errors.New("it had ended by itself")
	}
	return nil
}

func (c *collector) wait() error {
	select {
	case err := <-c.ended:
		return err
	case <-time.After(20 * time.Second):
		return errors.New("it does not end")
	}
}

// tracing waits until the collector says that it traces a process.
func (c *collector) tracing(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(c.log.String(), "Tracing a target"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the collector does not trace anything")
		}
	}
}
