package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 10 * time.Second

// start starts a shell, whose log is in a folder of the test's. It ends with the test.
func start(t *testing.T, o Options, script string) *Process {
	t.Helper()
	o.Log = filepath.Join(t.TempDir(), "log")
	p, err := Start(exec.Command("sh", "-c", script), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestAProcessThatIsStoppedHasEnded(t *testing.T) {
	for name, p := range map[string]*Process{
		"by the end of its input": start(t, Options{}, "exec cat"),
		"by a SIGTERM":            start(t, Options{Terminate: true}, "exec sleep 600"),
	} {
		for range 2 { // twice is as good
			if err := p.Stop(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := syscall.Kill(p.PID, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s: signal to the process: %v, want that there is none", name, err)
		}
	}
}

func TestAProcessThatNeverStartedCanBeStopped(t *testing.T) {
	var p *Process
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestHowAProcessHasEndedIsSaid(t *testing.T) {
	for name, p := range map[string]*Process{
		"an exit status": start(t, Options{}, "read line; exit 3"),
		"an exit status, on a SIGTERM": start(t, Options{Terminate: true, Lines: true},
			"trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done"),
		"an exit status, before a stop": start(t, Options{}, "exit 3"),
		"a signal of somebody else":     start(t, Options{}, "kill -KILL $$"),
	} {
		if p.options.Lines {
			if _, err := p.Line(patience); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Stop(); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	killed := start(t, Options{}, "exec cat")
	if err := errors.Join(killed.Kill(), killed.Kill(), killed.Stop()); err != nil {
		t.Errorf("a process that was to be killed: %v", err)
	}
}

func TestWhatAProcessHasStartedIsKilledWithIt(t *testing.T) {
	p := start(t, Options{Lines: true}, "sleep 600 >/dev/null & echo $!; exec cat")
	child, err := p.Line(patience)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), patience, func(context.Context) error {
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		text, _ := os.ReadFile("/proc/" + child + "/stat") // gone, or a zombie
		return string(text)
	}
	for deadline := time.Now().Add(patience); strings.Contains(state(), "(sleep)") &&
		!strings.Contains(state(), ") Z"); {
		if time.Now().After(deadline) {
			t.Fatalf("the child still runs: %s", state())
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAProcessAnswersLines(t *testing.T) {
	p := start(t, Options{Lines: true},
		`echo ready; while read line; do echo "got $line"; done; echo "the end" >&2`)
	if line, err := p.Line(patience); line != "ready" || err != nil {
		t.Fatalf("it says %q, %v", line, err)
	}
	if line, err := p.Ask("a question", patience); line != "got a question" || err != nil {
		t.Fatalf("it answers %q, %v", line, err)
	}
	if _, err := p.Line(time.Millisecond); err == nil ||
		!strings.Contains(err.Error(), "it says nothing for 1ms") {
		t.Errorf("silence is the error %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if text, err := p.Log(); text != "the end\n" || err != nil {
		t.Errorf("its log has %q, %v", text, err)
	}
	if _, err := p.Line(patience); err == nil || !strings.Contains(err.Error(), "exit status 0") {
		t.Errorf("what a process that has ended does not say is the error %v", err)
	}
}

func TestWhatAProcessSaysLastIsNotLost(t *testing.T) {
	p := start(t, Options{Lines: true}, "echo last")
	<-p.Ended()
	if line, err := p.Line(patience); line != "last" || err != nil {
		t.Errorf("it says %q, %v", line, err)
	}
}

func TestAwaitEndsWithTheEndOfTheLogWhenTheProcessEnds(t *testing.T) {
	p := start(t, Options{Name: "loser"}, "seq 100; echo cannot bind >&2; exit 3")
	never := errors.New("connection refused")
	err := p.Await(t.Context(), time.Minute, func(context.Context) error { return never })
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
	p := start(t, Options{Terminate: true}, "exec sleep 600")
	refused := errors.New("connection refused")
	err := p.Await(t.Context(), 50*time.Millisecond, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v, want what the check said while there was time", err)
	}
}

func TestAProcessDoesNotInheritAConfigurationOfOpenTelemetry(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "somebody-else")
	p := start(t, Options{Lines: true}, `echo "name: $OTEL_SERVICE_NAME."`)
	if line, err := p.Line(patience); line != "name: ." || err != nil {
		t.Errorf("the process says %q (%v)", line, err)
	}
}

// Else the kernel takes the end of a thread for the end of the parent.
func TestAProcessOutlivesTheThreadThatAskedForIt(t *testing.T) {
	started := make(chan *Process)
	go func() {
		runtime.LockOSThread() // and ends with it
		p, err := Start(exec.Command("cat"), Options{Lines: true})
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	p := <-started
	time.Sleep(100 * time.Millisecond)
	if line, err := p.Ask("still here?", patience); line != "still here?" || err != nil {
		t.Errorf("it answers %q, %v", line, err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
