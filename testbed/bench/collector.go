package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// startCollector starts a collector that sends what its receiver gets to a sink,
// and waits until it is ready. receiver is "otlp", or "spanprobe" for one that
// traces target.
func startCollector(ctx context.Context, dir, binary, receiver, target, sink string) (*collector, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	c := &collector{metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", ports[0]), otlp: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	config := filepath.Join(dir, "collector.yaml")
	if err := os.WriteFile(config, []byte(collectorConfig(receiver, target, c.otlp, sink, ports[0])), 0o600); err != nil {
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
func collectorConfig(receiver, target, otlp, sink string, metricsPort int) string {
	receivers := fmt.Sprintf("otlp:\n    protocols:\n      grpc:\n        endpoint: %s", otlp)
	if receiver == "spanprobe" {
		receivers = fmt.Sprintf("spanprobe:\n    targets:\n      - exe: '%s'", strings.ReplaceAll(literal(target), "'", "''"))
	}
	return fmt.Sprintf(`receivers:
  %s
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
`, receivers, sink, receiver, metricsPort)
}

// literal escapes what a glob takes for a pattern.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`).Replace(path)
}

// scrape returns the collector's own metrics in Prometheus' text format.
func (c *collector) scrape(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerDeadline)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metrics, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the collector's metrics: %s", response.Status)
	}
	return string(body), err
}

// lost returns what the spanprobe receiver has counted as lost, by reason.
func (c *collector) lost(ctx context.Context) (map[string]int, error) {
	text, err := c.scrape(ctx)
	if err != nil {
		return nil, c.explain(err)
	}
	return parseLost(text)
}

const lostMetric = "receiver_spanprobe_spans_lost"

// parseLost finds the losses among metrics. Names may have a prefix and a
// suffix, as the exporter adds them.
func parseLost(text string) (map[string]int, error) {
	lost := map[string]int{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") || !strings.Contains(line, lostMetric) {
			continue
		}
		labels, value, found := strings.Cut(line, "} ")
		_, labels, labelled := strings.Cut(labels, `reason="`)
		reason, _, closed := strings.Cut(labels, `"`)
		n, err := strconv.ParseFloat(value, 64)
		if !found || !labelled || !closed || err != nil {
			return nil, fmt.Errorf("the collector's metric %q is not understood", line)
		}
		lost[reason] += int(n)
	}
	return lost, nil
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
