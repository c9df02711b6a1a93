package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Metrics of the spanprobe receiver. The exporter may add a prefix and a suffix.
const (
	lostMetric      = "receiver_spanprobe_spans_lost"
	processesMetric = "receiver_spanprobe_processes"
)

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

// processes returns how many processes the spanprobe receiver traces.
func (c *collector) processes(ctx context.Context) (n int, err error) {
	text, err := c.scrape(ctx)
	if err != nil {
		return 0, c.explain(err)
	}
	samples, err := parseSamples(text, processesMetric)
	for _, sample := range samples {
		n += sample.value
	}
	return n, err
}

// parseLost finds the losses among metrics.
func parseLost(text string) (map[string]int, error) {
	samples, err := parseSamples(text, lostMetric)
	if err != nil {
		return nil, err
	}
	lost := map[string]int{}
	for _, sample := range samples {
		_, labels, labelled := strings.Cut(sample.labels, `reason="`)
		reason, _, closed := strings.Cut(labels, `"`)
		if !labelled || !closed {
			return nil, fmt.Errorf("the collector's metric %s{%s} has no reason", lostMetric, sample.labels)
		}
		lost[reason] += sample.value
	}
	return lost, nil
}

// sample is one line of a metric.
type sample struct {
	labels string
	value  int
}

// parseSamples finds the lines of a metric: name{labels} value, or name value.
func parseSamples(text, metric string) (samples []sample, err error) {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		i := strings.LastIndex(line, " ") + 1
		series, value := strings.TrimSpace(line[:i]), line[i:]
		name, labels, _ := strings.Cut(series, "{")
		if strings.HasPrefix(line, "#") || !strings.Contains(name, metric) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("the collector's metric %q is not understood", line)
		}
		samples = append(samples, sample{strings.TrimSuffix(labels, "}"), int(n)})
	}
	return samples, nil
}
