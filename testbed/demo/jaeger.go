package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/template"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// jaegerImage is the release of Jaeger that testbed/jaeger builds: 2.x is tagged 1.y in its
// module, where x is y-63.
const jaegerImage = "docker.io/jaegertracing/jaeger:2.13.0"

//go:embed jaeger.yaml.tmpl
var jaegerText string

var jaegerConfig = template.Must(template.New("jaeger.yaml").Parse(jaegerText))

// jaeger is the image that a container engine runs, or a binary, with memory storage.
type jaeger struct {
	engine string // "docker" or "podman"; "" for the binary
	binary string
	dir    string // of its log and configuration
	// Addresses on loopback, as host:port. Query has the API and the page.
	Query, QueryGRPC, OTLP, OTLPHTTP string

	process *process.Process
}

func (j *jaeger) url() string { return "http://" + j.Query }

// container is the name of the one that runs the image.
func (j *jaeger) container() string { return "spanprobe-demo-" + strconv.Itoa(os.Getpid()) }

// start returns when the query API answers. It answers as a step. The engine may have to fetch the
// image first.
func (j *jaeger) start(ctx context.Context) (string, error) {
	ports, err := loopback.FreePorts(4)
	if err != nil {
		return "", err
	}
	j.Query, j.QueryGRPC = loopback.Address(ports[0]), loopback.Address(ports[1])
	j.OTLP, j.OTLPHTTP = loopback.Address(ports[2]), loopback.Address(ports[3])
	command, limit := exec.Command(j.engine, j.containerArguments()...), 10*patience
	if j.engine == "" {
		var config bytes.Buffer
		file := filepath.Join(j.dir, "jaeger.yaml")
		if err := errors.Join(jaegerConfig.Execute(&config, j),
			os.WriteFile(file, config.Bytes(), 0o600)); err != nil {
			return "", err
		}
		command, limit = exec.Command(j.binary, "--config", file), patience
	}
	j.process, err = process.Start(command, process.Options{
		Name: "jaeger", Log: filepath.Join(j.dir, "jaeger.log"), Terminate: true,
	})
	if err != nil {
		return "", err
	}
	return j.url() + ", after", j.process.Await(ctx, limit, func(ctx context.Context) error {
		_, err := j.find(ctx, entry, time.Now())
		return err
	})
}

// containerArguments run the image with its own configuration, and publish on loopback alone what
// the demo needs of it.
func (j *jaeger) containerArguments() []string {
	return []string{
		"run", "--rm", "--name", j.container(),
		// Without this, its own queries become traces.
		"--env", "OTEL_TRACES_SAMPLER=always_off",
		"--publish", j.Query + ":16686",
		"--publish", j.OTLP + ":4317",
		"--publish", j.OTLPHTTP + ":4318",
		jaegerImage,
	}
}

// find returns the spans of all traces that Jaeger has of a service since a time, with times as
// they were recorded. It asks version 3 of the query API over HTTP, whose answers carry OTLP JSON.
func (j *jaeger) find(ctx context.Context, service string, since time.Time) ([]spans.Span, error) {
	target := j.url() + "/api/v3/traces?" + url.Values{
		"query.service_name":   {service},
		"query.start_time_min": {since.Add(-time.Second).UTC().Format(time.RFC3339Nano)},
		"query.start_time_max": {time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)},
		"query.num_traces":     {"5000"}, // more than the demo makes
		// Without this, Jaeger moves spans in time where it believes that clocks differ.
		"query.raw_traces": {"true"},
	}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", target, err)
	case response.StatusCode == http.StatusNotFound:
		return nil, nil
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s: %s: %.200s", target, response.Status, text)
	}
	// grpc-gateway puts this around a stream's messages: GRPCGatewayWrapper in Jaeger's api_v3.
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("GET %s: %w", target, err)
	}
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(answer.Result)
	if err != nil {
		return nil, fmt.Errorf("jaeger's answer holds no traces: %w", err)
	}
	return spans.Of(traces), nil
}

// stop ends Jaeger. A signal to the engine's client goes on to the container, which is removed by
// force should it outlive the client.
func (j *jaeger) stop() error {
	err := j.process.Stop()
	if j.engine == "" || j.process == nil {
		return err
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil // the client's exit code may be the one of a container that was ended
	}
	output, removal := exec.Command(j.engine, "rm", "--force", j.container()).CombinedOutput()
	if removal != nil && !bytes.Contains(bytes.ToLower(output), []byte("no such container")) {
		err = errors.Join(err, fmt.Errorf("remove %s: %w: %s", j.container(), removal, output))
	}
	return err
}
