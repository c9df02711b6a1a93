// Package collector runs the OpenTelemetry Collector that `make build` makes, with one pipeline: a
// receiver, the batch processor, and an exporter of OTLP.
package collector

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// Config is what differs from one configuration to the next.
type Config struct {
	Receiver string // "" for spanprobe
	Settings any    // of the receiver, as YAML has them
	Endpoint string // of OTLP over gRPC, for what is received

	BatchTimeout time.Duration // 0: as the processor has it
	Compression  string        // of what is sent; "": as the exporter has it
	MetricsPort  int           // where its own metrics are; 0: nowhere
}

// Settings are those of a component, by their names in YAML.
type Settings = map[string]any

//go:embed collector.yaml.tmpl
var layoutText string

var layout = template.Must(template.New("collector.yaml").Parse(layoutText))

// YAML is the configuration as the collector reads it.
func (c Config) YAML() ([]byte, error) {
	var settings, text bytes.Buffer
	encoder := yaml.NewEncoder(&settings)
	encoder.SetIndent(2)
	if err := encoder.Encode(c.Settings); err != nil {
		return nil, err
	}
	c.Receiver = cmp.Or(c.Receiver, "spanprobe")
	c.Settings = strings.ReplaceAll(strings.TrimSpace(settings.String()), "\n", "\n    ")
	err := layout.Execute(&text, c)
	return text.Bytes(), err
}

// Write writes the configuration to a file in a folder, and returns its path.
func (c Config) Write(folder string) (string, error) {
	text, err := c.YAML()
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "collector.yaml")
	return file, os.WriteFile(file, text, 0o600)
}

// Targets are settings of the spanprobe receiver: it traces the executables at the globs.
func Targets(globs ...string) any {
	var targets []Settings
	for _, glob := range globs {
		targets = append(targets, Settings{"exe": glob})
	}
	return Settings{"targets": targets}
}

// Literal escapes what a glob takes for a pattern.
func Literal(path string) string { return literal.Replace(path) }

var literal = strings.NewReplacer(
	`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`,
)

// Binary is the collector that `make build` makes.
func Binary(root string) string { return filepath.Join(root, "dist", "otelcol-spanprobe") }

// Collector is one that runs.
type Collector struct {
	*process.Process
	config Config
}

// Start starts a collector, with its configuration and its log in a folder. It ends on a SIGTERM,
// whatever the options say.
func Start(folder, binary string, c Config, o process.Options) (*Collector, error) {
	file, err := c.Write(folder)
	if err != nil {
		return nil, err
	}
	o.Name, o.Log, o.Terminate = "collector", filepath.Join(folder, "collector.log"), true
	p, err := process.Start(exec.Command(binary, "--config", file), o)
	if err != nil {
		return nil, err
	}
	return &Collector{p, c}, nil
}

// AwaitLog waits until the collector's log has a text.
func (c *Collector) AwaitLog(ctx context.Context, limit time.Duration, text string) error {
	return c.Await(ctx, limit, func(context.Context) error {
		log, err := c.Log()
		if err == nil && !strings.Contains(log, text) {
			err = fmt.Errorf("it does not say %q", text)
		}
		return err
	})
}

// AwaitReady waits until the collector has started.
func (c *Collector) AwaitReady(ctx context.Context, limit time.Duration) error {
	return c.AwaitLog(ctx, limit, "Everything is ready")
}

// Metric is what the collector says of itself under a name. Its exporter may add a prefix and a
// suffix to the name.
func (c *Collector) Metric(ctx context.Context, name string) (model.Vector, error) {
	url := fmt.Sprintf("http://%s/metrics", loopback.Address(c.config.MetricsPort))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, c.Explain(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, c.Explain(errors.New("its metrics: " + response.Status))
	}
	return samples(response.Body, name)
}

func samples(metrics io.Reader, name string) (found model.Vector, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(metrics)
	for full, family := range families {
		if strings.Contains(full, name) {
			of, ofErr := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, family)
			found, err = append(found, of...), errors.Join(err, ofErr)
		}
	}
	return found, err
}
