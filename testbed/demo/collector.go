package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// collector is the OpenTelemetry Collector with the receiver that is shown.
type collector struct {
	binary string
	asRoot bool // the demo itself is root, so that the collector needs no sudo
	config string
	// process is the collector, or the sudo that runs it.
	process *process
}

// askForRoot makes sure that the collector can be run as root, and says why it must.
func (c *collector) askForRoot(ctx context.Context, t *terminal) error {
	if c.asRoot || exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil {
		return nil
	}
	t.say("\n  The collector, and nothing else of this demo, runs as root: attaching uprobes to a process takes\n" +
		"  CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. sudo may ask for your password.\n")
	command := exec.CommandContext(ctx, "sudo", "-v")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the collector needs root, and sudo did not give it (%w): run `make demo` as root, or allow sudo", err)
	}
	return nil
}

// start starts the collector; whether it traces is for Jaeger to say.
func (c *collector) start(dir, targets, endpoint string) error {
	c.config = filepath.Join(dir, "collector.yaml")
	if err := os.WriteFile(c.config, []byte(collectorConfig(targets, endpoint)), 0o600); err != nil {
		return err
	}
	if c.asRoot {
		var err error
		c.process, err = launch(dir, "collector", exec.Command(c.binary, "--config", c.config))
		return err
	}
	return c.startWithSudo(dir)
}

// underSudo runs a command as long as its standard input is open. A process of
// another user cannot be sent a signal, but a pipe to it can be closed, and is
// closed by the kernel too if the demo is killed.
const underSudo = `exec 3<&0
"$@" 3<&- & child=$!
{ read -r _ <&3; kill -TERM "$child"; } & watch=$!
wait "$child"; status=$?
kill "$watch"
exit "$status"`

func (c *collector) startWithSudo(dir string) error {
	command := exec.Command("sudo", "-n", "--", "sh", "-c", underSudo, "sh", c.binary, "--config", c.config)
	stdin, err := command.StdinPipe()
	if err != nil {
		return err
	}
	process, err := launch(dir, "collector", command)
	if err != nil {
		return errors.Join(err, stdin.Close())
	}
	process.ask = stdin.Close
	c.process = process
	return nil
}

// collectorConfig is the configuration that a user would write to trace all
// executables of a directory, but for the short batches that bring their spans to
// Jaeger soon.
func collectorConfig(targets, endpoint string) string {
	return fmt.Sprintf(`receivers:
  spanprobe:
    targets:
      - exe: %s
processors:
  batch:
    timeout: 200ms
exporters:
  otlp_grpc/jaeger:
    endpoint: %s
    tls:
      insecure: true
service:
  pipelines:
    traces:
      receivers: [spanprobe]
      processors: [batch]
      exporters: [otlp_grpc/jaeger]
  telemetry:
    metrics:
      level: none
`, quote(literal(targets)+"/*"), quote(endpoint))
}

// literal escapes what a glob takes for a pattern.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`).Replace(path)
}
