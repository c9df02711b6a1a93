package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/jaegerapi"
)

// jaegerImage is the release of Jaeger that testbed/jaeger builds: 2.x is tagged
// 1.y in its module, where x is y-63.
const jaegerImage = "docker.io/jaegertracing/jaeger:2.13.0"

// engineDeadline is how long a container engine may take to say that it runs.
const engineDeadline = 10 * time.Second

// jaegerSource says where Jaeger comes from.
type jaegerSource string

const (
	jaegerAuto   jaegerSource = ""       // the image if a container engine runs, else the module
	jaegerImaged jaegerSource = "image"  // the official image
	jaegerBuilt  jaegerSource = "module" // built from testbed/jaeger
)

func (s *jaegerSource) String() string { return string(*s) }

// Set makes it a flag.
func (s *jaegerSource) Set(text string) error {
	switch source := jaegerSource(text); source {
	case jaegerImaged, jaegerBuilt:
		*s = source
	case "auto":
		*s = jaegerAuto
	default:
		return errors.New("it is auto, image or module")
	}
	return nil
}

// jaegerOrigin is a Jaeger that can be started: the image with an engine, or,
// without one, a binary.
type jaegerOrigin struct {
	engine string // "docker" or "podman"
	binary string
}

// provideJaeger pulls the image, or builds the module.
func provideJaeger(ctx context.Context, t *terminal, tree tree, source jaegerSource) (jaegerOrigin, error) {
	engine := ""
	if source != jaegerBuilt {
		engine = runningEngine(ctx)
	}
	if source == jaegerImaged && engine == "" {
		return jaegerOrigin{}, errors.New("-jaeger image: neither `docker info` nor `podman info` succeeds, so no container engine runs here")
	}
	if engine == "" && source != jaegerBuilt {
		t.say("  jaeger      no container engine answers, so there will be no web page")
	}
	if engine != "" {
		err := t.step("jaeger", engine+" pulls "+jaegerImage, func() (string, error) {
			return "have " + jaegerImage, pull(ctx, engine)
		})
		if err == nil || source == jaegerImaged || ctx.Err() != nil {
			return jaegerOrigin{engine: engine}, err
		}
		t.say(fmt.Sprintf("  %-11s %v\n  %-11s so it is built from its module instead", "", err, ""))
	}
	err := t.step("jaeger", "building from its module (five minutes the first time, longer on a busy machine)", func() (string, error) {
		return buildJaeger(ctx, tree)
	})
	return jaegerOrigin{binary: tree.jaeger()}, err
}

// runningEngine names a container engine that runs, or is "".
func runningEngine(ctx context.Context) string {
	for _, engine := range []string{"docker", "podman"} {
		bounded, cancel := context.WithTimeout(ctx, engineDeadline)
		// Both exit with an error when there is only a client.
		err := exec.CommandContext(bounded, engine, "info").Run()
		cancel()
		if err == nil {
			return engine
		}
	}
	return ""
}

// pull fetches the image unless it is there.
func pull(ctx context.Context, engine string) error {
	if exec.CommandContext(ctx, engine, "image", "inspect", jaegerImage).Run() == nil {
		return nil
	}
	return build(ctx, ".", engine, "pull", jaegerImage)
}

// jaeger is one that runs.
type jaeger struct {
	origin    jaegerOrigin
	ports     jaegerPorts
	container string // its name, when it is one
	process   *process
}

// jaegerPorts are ports of loopback.
type jaegerPorts struct {
	query     int // HTTP: the API and the page
	queryGRPC int
	otlpGRPC  int
	otlpHTTP  int
}

func (j *jaeger) url() string { return "http://" + loopback(j.ports.query) }

// otlp is where it takes OTLP over gRPC.
func (j *jaeger) otlp() string { return loopback(j.ports.otlpGRPC) }

// start returns when the query API answers.
func (j *jaeger) start(ctx context.Context, dir string, client *http.Client) error {
	command, err := j.command(dir)
	if err != nil {
		return err
	}
	if j.process, err = launch(dir, "jaeger", command); err != nil {
		return err
	}
	api := jaegerapi.Client{URL: j.url(), HTTP: client}
	return await(ctx, jaegerDeadline, j.process, func(ctx context.Context) error {
		_, err := api.Services(ctx)
		return err
	})
}

// stop ends Jaeger. A signal to the engine's client goes on to the container,
// which is removed by force should it outlive the client.
func (j *jaeger) stop() error {
	err := j.process.stop()
	if j.container == "" {
		return err
	}
	output, removeErr := exec.Command(j.origin.engine, "rm", "--force", j.container).CombinedOutput()
	if removeErr != nil && exec.Command(j.origin.engine, "container", "inspect", j.container).Run() == nil {
		err = errors.Join(err, fmt.Errorf("`%s rm --force %s`: %w: %s", j.origin.engine, j.container, removeErr, bytes.TrimSpace(output)))
	}
	return err
}

func (j *jaeger) command(dir string) (*exec.Cmd, error) {
	if j.origin.engine != "" {
		j.container = "spanprobe-demo-" + strconv.Itoa(os.Getpid())
		return exec.Command(j.origin.engine, j.containerArguments()...), nil
	}
	config := filepath.Join(dir, "jaeger.yaml")
	if err := os.WriteFile(config, []byte(j.config()), 0o600); err != nil {
		return nil, err
	}
	return exec.Command(j.origin.binary, "--config", config), nil
}

// containerArguments run the image with its own configuration (memory storage),
// and publish what the demo needs of it on loopback alone.
func (j *jaeger) containerArguments() []string {
	return []string{
		"run", "--rm", "--name", j.container,
		// Without this, its own queries become traces.
		"--env", "OTEL_TRACES_SAMPLER=always_off",
		"--publish", loopback(j.ports.query) + ":16686",
		"--publish", loopback(j.ports.otlpGRPC) + ":4317",
		"--publish", loopback(j.ports.otlpHTTP) + ":4318",
		jaegerImage,
	}
}

func (j *jaeger) config() string {
	return fmt.Sprintf(`extensions:
  jaeger_storage:
    backends:
      memory:
        memory:
          max_traces: 10000
  jaeger_query:
    # It would trace its own queries, and send that to whoever has port 4317.
    enable_tracing: false
    storage:
      traces: memory
    http:
      endpoint: %s
    grpc:
      endpoint: %s
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: %s
      http:
        endpoint: %s
exporters:
  jaeger_storage_exporter:
    trace_storage: memory
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [jaeger_storage_exporter]
  telemetry:
    metrics:
      level: none
`, quote(loopback(j.ports.query)), quote(loopback(j.ports.queryGRPC)), quote(loopback(j.ports.otlpGRPC)), quote(loopback(j.ports.otlpHTTP)))
}

// quote makes a YAML string of text: JSON's strings are YAML's.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string can always be marshalled
	}
	return string(quoted)
}
