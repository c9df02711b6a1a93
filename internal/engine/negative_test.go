//go:build linux && (amd64 || arm64)

package engine

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/offsets"
)

// waits is the code of a program that waits for a signal: pause, or ppoll of nothing.
var waits = map[string]string{
	"amd64": "b822000000 0f05 ebf7",
	"arm64": "e80980d2 000080d2 010080d2 020080d2 030080d2 010000d4 faffff17",
}

func TestAFileThatIsRefusedIsInspectedOnceForAllOfItsProcesses(t *testing.T) {
	code, err := hex.DecodeString(strings.ReplaceAll(waits[runtime.GOARCH], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	program := tiny.Program{
		ARM64:     runtime.GOARCH == "arm64",
		Functions: []tiny.Function{{Name: "main.main", Code: code}},
	}
	bare := program
	bare.Bare = true
	table := program.FunctionTable()
	clear(table[8:16]) // the number of functions
	for name, test := range map[string]struct {
		contents []byte
		refused  func(error) bool
	}{
		"not of Go": {
			bare.With(map[string][]byte{".gopclntab": make([]byte, 128)}), isNil,
		},
		"with no library": {program.Bytes(), isNil},
		"not supported": {
			program.With(map[string][]byte{".go.buildinfo": make([]byte, 128), ".debug_info": nil}),
			isUnsupported,
		},
		"malformed": {program.With(map[string][]byte{".gopclntab": table}), isMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			contents := test.contents
			path := filepath.Join(t.TempDir(), "program")
			c := controllerFor(t, path)
			if err := os.WriteFile(path, contents, 0o755); err != nil {
				t.Fatal(err)
			}
			first, second := c.start(path), c.start(path)
			if err := c.processes.byPID[first.Process.Pid].executable.failure; !test.refused(err) {
				t.Errorf("it is refused for another reason: %v", err)
			}
			c.end(first)
			c.end(second)
			c.end(c.start(path))
			if n := c.inspections(); n != 1 {
				t.Errorf("%d inspections", n)
			}
			// A file that somebody repairs is another one.
			if err := os.WriteFile(path, append(contents, 0), 0o755); err != nil {
				t.Fatal(err)
			}
			c.end(c.start(path))
			if n := c.inspections(); n != 2 {
				t.Errorf("%d inspections of the file and of what became of it", n)
			}
		})
	}
}

func isNil(err error) bool         { return err == nil }
func isUnsupported(err error) bool { return errors.Is(err, inspect.ErrUnsupported) }
func isMalformed(err error) bool   { return !isNil(err) && !isUnsupported(err) }

func TestWhatCouldNotBeReadIsLookedAtAgain(t *testing.T) {
	data := tiny.Program{}.Bytes()
	whole := &readable{file: bytes.NewReader(data), attempt: &attempt{}}
	_, err := whole.ReadAt(make([]byte, 1), int64(len(data)))
	if !errors.Is(err, io.EOF) || whole.finding() != preparedNothing {
		t.Errorf("behind its end: %v, noted: %v", err, whole.failure)
	}
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	failing := &readable{file: closed, attempt: &attempt{}}
	_, _, err = PlanFile(failing, 4096, "closed", all.Libraries(), nil)
	if err == nil || failing.finding() != refusedForNow {
		t.Errorf("a file that cannot be read: %v, noted: %v", err, failing.failure)
	}
}

func TestAnInspectionThatIsGivenUpReadsNoMore(t *testing.T) {
	current := &attempt{}
	contents := &readable{file: bytes.NewReader(tiny.Program{}.Bytes()), attempt: current}
	if _, err := contents.ReadAt(make([]byte, 1), 0); err != nil {
		t.Fatal(err)
	}
	if !current.giveUp() {
		t.Fatal("the attempt was decided before")
	}
	if n, err := contents.ReadAt(make([]byte, 1), 0); n != 0 || !errors.Is(err, errGivenUp) {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	if current.asking.Load() {
		t.Error("the file system seems to be asked still")
	}
}

func TestAFailureToReadIsToldBesideWhatWasFound(t *testing.T) {
	why := errors.New("input/output error")
	failing := &readable{failure: why}
	if err := failing.explain(inspect.ErrNotGo); !errors.Is(err, why) ||
		!errors.Is(err, inspect.ErrNotGo) {
		t.Errorf("it says %v", err)
	}
	if err := failing.explain(why); err != why { //nolint:errorlint // the very same
		t.Errorf("it says twice: %v", err)
	}
}

// refusing is a controller without a kernel, which inspects real processes.
type refusing struct {
	*controller
	t    *testing.T
	logs *observer.ObservedLogs
}

func controllerFor(t *testing.T, path string) refusing {
	t.Helper()
	config := Config{Targets: []Target{{Exe: path}}}
	finder, err := discover.New(discover.Config{Targets: config.Targets})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	settings := Settings{
		Logger: zap.New(core), Libraries: all.Libraries(), Offsets: offsets.Default(),
		Status: func(error) {},
	}
	c := newController(config, settings, nil, finder, newRegistry(), newCounts(), nil)
	return refusing{c, t, logs}
}

func (c refusing) inspections() int {
	return c.logs.FilterMessage("Examining the file of a target").Len()
}

// start starts a program, and has the controller hear of it.
func (c refusing) start(path string) *exec.Cmd {
	c.t.Helper()
	command := exec.Command(path)
	if err := command.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = command.Process.Kill() })
	pid := command.Process.Pid
	awaitSleep(c.t, pid)
	c.handle(wire.Event{Kind: wire.EventExec, Tgid: uint32(pid)})
	p := c.processes.byPID[pid]
	if p == nil {
		c.t.Fatalf("the process is no target: %+v", c.logs.All())
	}
	if p.executable.state == executablePreparing {
		c.prepared(<-c.executables.preparer.prepared)
	}
	if p.executable.state != executableFailed {
		c.t.Fatalf("its state is %q", p.executable.state)
	}
	return command
}

// awaitSleep waits until a process waits. Go takes it for started while the kernel still loads its
// program, which is when the event has not come yet.
func awaitSleep(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(stat, []byte(") S ")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not wait: %s", stat)
		}
	}
}

// end ends a program, and has the controller hear of it.
func (c refusing) end(command *exec.Cmd) {
	c.t.Helper()
	if err := command.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	if err := command.Wait(); command.ProcessState.Exited() {
		c.t.Fatalf("it ended by itself: %v", err)
	}
	c.handle(wire.Event{Kind: wire.EventExit, Tgid: uint32(command.Process.Pid)})
}
