package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// collectorDeadline is how long a collector may take to start.
const collectorDeadline = 30 * time.Second

// collector is an OpenTelemetry Collector with one pipeline.
type collector struct {
	*process
	metrics string // URL of its own metrics
	otlp    string // address of its OTLP receiver, if it has that
}

// receiver is a component of the collector's: its name, and its configuration,
// given the address for OTLP.
type receiver struct {
	name      string
	configure func(otlp string) string
}

var otlpReceiver = receiver{"otlp", func(otlp string) string {
	return fmt.Sprintf("\n    protocols:\n      grpc:\n        endpoint: %s", otlp)
}}

// spanprobeReceiver traces the executables that match any of the globs.
func spanprobeReceiver(globs ...string) receiver {
	return receiver{"spanprobe", func(string) string {
		text := "\n    targets:"
		for _, glob := range globs {
			text += fmt.Sprintf("\n      - exe: '%s'", strings.ReplaceAll(glob, "'", "''"))
		}
		return text
	}}
}

// spanprobeOf traces one process.
func spanprobeOf(pid int) receiver {
	return receiver{"spanprobe", func(string) string { return fmt.Sprintf("\n    targets:\n      - pid: %d", pid) }}
}

// startCollector starts a collector that sends what its receiver gets to a sink,
// and waits until it is ready.
func startCollector(ctx context.Context, dir, binary string, receiver receiver, sink string) (*collector, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	c := &collector{metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", ports[0]), otlp: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	config := filepath.Join(dir, "collector.yaml")
	if err := os.WriteFile(config, []byte(collectorConfig(receiver, c.otlp, sink, ports[0])), 0o600); err != nil {
		return nil, err
	}
	if c.process, err = launch(dir, "collector", exec.Command(binary, "--config", config)); err != nil {
		return nil, err
	}
	c.onTerm = true
	for deadline := time.Now().Add(collectorDeadline); ; {
		_, err := c.scrape(ctx)
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-c.ended:
			return c, c.explain(errors.New("it did not start"))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return c, c.explain(fmt.Errorf("not ready within %v: %w", collectorDeadline, err))
		}
	}
}

// collectorConfig differs in nothing but the receiver.
func collectorConfig(receiver receiver, otlp, sink string, metricsPort int) string {
	return fmt.Sprintf(`receivers:
  %s:%s
processors:
  batch:
exporters:
  otlp_grpc:
    endpoint: %s
    compression: none
    tls:
      insecure: true
service:
  pipelines:
    traces:
      receivers: [%s]
      processors: [batch]
      exporters: [otlp_grpc]
  telemetry:
    metrics:
      readers:
        - pull:
            exporter:
              prometheus:
                host: 127.0.0.1
                port: %d
`, receiver.name, receiver.configure(otlp), sink, receiver.name, metricsPort)
}

// literal escapes what a glob takes for a pattern.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`).Replace(path)
}

// freePorts returns ports of loopback that nobody listens on, all different.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Held until all are chosen, so that none is chosen twice.
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
