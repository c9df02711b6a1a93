package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAProcessThatIsStoppedHasEnded(t *testing.T) {
	p, err := launch(t.TempDir(), "sleeper", exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	mustStop(t, p)
	mustStop(t, p) // twice is as good
	if err := syscall.Kill(p.pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal to the process: %v, want that there is none", err)
	}
}

func TestAProcessThatNeverStartedCanBeStopped(t *testing.T) {
	var p *process
	mustStop(t, p)
}

func TestAwaitEndsWithTheEndOfTheLogWhenTheProcessEnds(t *testing.T) {
	p, err := launch(t.TempDir(), "loser", exec.Command("sh", "-c", "seq 100; echo cannot bind >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	never := errors.New("connection refused")
	err = await(t.Context(), time.Minute, p, func(context.Context) error { return never })
	if !errors.Is(err, never) {
		t.Fatalf("error %v, want the last one of the check in it", err)
	}
	for _, want := range []string{"loser", "exit status 3", "100\n  cannot bind"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "\n  80\n") {
		t.Errorf("the error holds more than the end of the log: %v", err)
	}
}

func TestAwaitReportsWhyItWasNotReadyInTime(t *testing.T) {
	p, err := launch(t.TempDir(), "sleeper", exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, p) })
	refused := errors.New("connection refused")
	err = await(t.Context(), 50*time.Millisecond, p, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v, want what the check said while there was time", err)
	}
}

func TestChildrenDoNotInheritAConfigurationOfOpenTelemetry(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "somebody-else")
	p, err := launch(t.TempDir(), "printer", exec.Command("sh", "-c", `echo "name: $OTEL_SERVICE_NAME."`))
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if log, err := os.ReadFile(p.log); err != nil || string(log) != "name: .\n" {
		t.Errorf("the child printed %q (%v)", log, err)
	}
}

func TestWhatRunsUnderSudoEndsWhenItsInputIsClosed(t *testing.T) {
	command := exec.Command("sh", "-c", underSudo, "sh", "sh", "-c", `trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done`)
	stdin, stdout := pipes(t, command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, len("up\n"))); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := command.Wait(); command.ProcessState.ExitCode() != 7 {
		t.Errorf("it ended with %v, want the exit status 7 of the traced command", err)
	}
}

func TestWhatRunsUnderSudoHandsItsFailureOn(t *testing.T) {
	command := exec.Command("sh", "-c", underSudo, "sh", "sh", "-c", "exit 5")
	pipes(t, command) // held open
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); command.ProcessState.ExitCode() != 5 {
		t.Errorf("it ended with %v, want exit status 5", err)
	}
}

func TestFreePortsAreAllDifferent(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if got := len(slices.Compact(ports)); got != 20 {
		t.Errorf("%d different ports, want 20", got)
	}
}

func pipes(t *testing.T, command *exec.Cmd) (io.WriteCloser, io.ReadCloser) {
	t.Helper()
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return stdin, stdout
}

func mustStop(t *testing.T, p *process) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}
