package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/template"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/jaegerapi"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// jaegerImage is the release of Jaeger that testbed/jaeger builds: 2.x is tagged 1.y in its
// module, where x is y-63.
const jaegerImage = "docker.io/jaegertracing/jaeger:2.13.0"

// jaegerSource says where Jaeger comes from.
type jaegerSource string

const (
	jaegerAuto   jaegerSource = "auto"   // the image if a container engine runs, else the module
	jaegerImaged jaegerSource = "image"  // the official image
	jaegerBuilt  jaegerSource = "module" // built from testbed/jaeger
)

// Set is for a flag.
func (s *jaegerSource) Set(text string) error {
	switch source := jaegerSource(text); source {
	case jaegerAuto, jaegerImaged, jaegerBuilt:
		*s = source
		return nil
	}
	return errors.New("it is auto, image or module")
}

// provideJaeger pulls the image, or builds the module.
func (d *demo) provideJaeger(ctx context.Context, source jaegerSource) error {
	engine := ""
	if source != jaegerBuilt {
		engine = runningEngine(ctx)
	}
	switch {
	case engine != "":
		err := d.step("jaeger", engine+" pulls "+jaegerImage, func() (string, error) {
			return "have " + jaegerImage, pull(ctx, engine)
		})
		if err == nil || source == jaegerImaged || ctx.Err() != nil {
			d.jaeger.engine = engine
			return err
		}
		d.say(fmt.Sprintf("%14s%v\n%14sso it is built from its module instead", "", err, ""))
	case source == jaegerImaged:
		return errors.New("-jaeger image: neither `docker info` nor `podman info` succeeds, " +
			"so no container engine runs here")
	case source == jaegerAuto:
		d.say("  jaeger      no container engine answers, so there will be no web page")
	}
	d.jaeger.binary = d.tree.dist("jaeger")
	doing := "building from its module (five minutes the first time, longer on a busy machine)"
	return d.step("jaeger", doing, func() (string, error) { return buildJaeger(ctx, d.tree) })
}

// runningEngine names a container engine that runs, or is "".
func runningEngine(ctx context.Context) string {
	for _, engine := range []string{"docker", "podman"} {
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
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

	container string // its name, when it is one
	process   *process.Process
}

func (j *jaeger) url() string { return "http://" + j.Query }

func (j *jaeger) api() jaegerapi.Client { return jaegerapi.Client{URL: j.url(), HTTP: client} }

// start returns when the query API answers. It answers as a step.
func (j *jaeger) start(ctx context.Context) (string, error) {
	ports, err := loopback.FreePorts(4)
	if err != nil {
		return "", err
	}
	j.Query, j.QueryGRPC = loopback.Address(ports[0]), loopback.Address(ports[1])
	j.OTLP, j.OTLPHTTP = loopback.Address(ports[2]), loopback.Address(ports[3])
	command, err := j.command()
	if err != nil {
		return "", err
	}
	j.process, err = process.Start(command, process.Options{
		Name: "jaeger", Log: filepath.Join(j.dir, "jaeger.log"), Terminate: true,
	})
	if err != nil {
		return "", err
	}
	return j.url(), j.process.Await(ctx, patience, func(ctx context.Context) error {
		_, err := j.api().Services(ctx)
		return err
	})
}

func (j *jaeger) command() (*exec.Cmd, error) {
	if j.engine != "" {
		j.container = "spanprobe-demo-" + strconv.Itoa(os.Getpid())
		return exec.Command(j.engine, j.containerArguments()...), nil
	}
	var config bytes.Buffer
	if err := jaegerConfig.Execute(&config, j); err != nil {
		return nil, err
	}
	file := filepath.Join(j.dir, "jaeger.yaml")
	return exec.Command(j.binary, "--config", file), os.WriteFile(file, config.Bytes(), 0o600)
}

// containerArguments run the image with its own configuration, and publish on loopback alone what
// the demo needs of it.
func (j *jaeger) containerArguments() []string {
	return []string{
		"run", "--rm", "--name", j.container,
		// Without this, its own queries become traces.
		"--env", "OTEL_TRACES_SAMPLER=always_off",
		"--publish", j.Query + ":16686",
		"--publish", j.OTLP + ":4317",
		"--publish", j.OTLPHTTP + ":4318",
		jaegerImage,
	}
}

// stop ends Jaeger. A signal to the engine's client goes on to the container, which is removed by
// force should it outlive the client.
func (j *jaeger) stop() error {
	err := j.process.Stop()
	if j.container == "" {
		return err
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil // the client's exit code may be the one of a container that was ended
	}
	output, removal := exec.Command(j.engine, "rm", "--force", j.container).CombinedOutput()
	if removal != nil && exec.Command(j.engine, "container", "inspect", j.container).Run() == nil {
		err = errors.Join(err, fmt.Errorf("`%s rm --force %s`: %w: %s",
			j.engine, j.container, removal, bytes.TrimSpace(output)))
	}
	return err
}
