package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	otelcol "github.com/spanprobe/spanprobe/testbed/harness/collector"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// collector is the OpenTelemetry Collector with the receiver that is shown.
type collector struct {
	dir    string // of its log and configuration
	config string // path
	// process is the collector, or the sudo that runs it.
	process *process.Process
}

// collectorConfig is the configuration that a user would write to trace all executables of a
// directory, but for the short batches that bring their spans to Jaeger soon.
func collectorConfig(targets, endpoint string) otelcol.Config {
	return otelcol.Config{
		Settings:     otelcol.Targets(otelcol.Literal(targets) + "/*"),
		Endpoint:     endpoint,
		BatchTimeout: 200 * time.Millisecond,
	}
}

// askForRoot makes sure that the collector can be run as root, and says why it must.
func (d *demo) askForRoot(ctx context.Context) error {
	if isRoot() || exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil {
		return nil
	}
	d.say(`
  The collector, and nothing else of this demo, runs as root: attaching uprobes to a process takes
  CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. sudo may ask for your password.
`)
	command := exec.CommandContext(ctx, "sudo", "-v")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the collector needs root, and sudo did not give it (%w): "+
			"run `make demo` as root, or allow sudo", err)
	}
	return ctx.Err()
}

// underSudo runs a command as long as its standard input is open. A process of another user
// cannot be sent a signal, but a pipe to it can be closed, and is closed by the kernel too if the
// demo is killed.
const underSudo = `exec 3<&0
"$@" 3<&- & child=$!
{ read -r _ <&3; kill -TERM "$child"; } & watch=$!
wait "$child"; status=$?
kill "$watch"
exit "$status"`

// start starts the collector. Whether it traces is for Jaeger to say.
func (c *collector) start(binary, targets, endpoint string) (err error) {
	if c.config, err = collectorConfig(targets, endpoint).Write(c.dir); err != nil {
		return err
	}
	run := []string{binary, "--config", c.config}
	if !isRoot() {
		run = append([]string{"sudo", "-n", "--", "sh", "-c", underSudo, "sh"}, run...)
	}
	c.process, err = process.Start(exec.Command(run[0], run[1:]...), process.Options{
		Name: "collector", Log: filepath.Join(c.dir, "collector.log"), Terminate: isRoot(),
	})
	return err
}

func (c *collector) stop() error {
	err := c.process.Stop()
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: end it with `sudo kill %d`", err, c.process.PID)
	}
	return err
}
