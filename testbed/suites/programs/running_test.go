// Package programs traces programs that nobody here wrote: Debian's, which are
// stripped and have no versions of their modules, and those that modules of their
// own pin in the folders below. It needs root, and apt-get to fetch Debian's, of
// which nothing is installed.
package programs

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// pinned is a program of a module of others, at the version that a module of its
// own pins.
type pinned struct {
	folder string // of that module, in testbed
	pkg    string // which is built
	path   string // of the executable, in dist
}

// build builds it. The go command leaves alone what is up to date.
func (p pinned) build(t *testing.T) string {
	t.Helper()
	executable := filepath.Join(root(t), "dist", p.path)
	if err := os.MkdirAll(filepath.Dir(executable), 0o755); err != nil {
		t.Fatal(err)
	}
	// As the demo builds its Jaeger, so that there is one.
	command(t, p.module(t), "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", executable,
		p.pkg)
	return executable
}

// module is the folder of the module that pins it.
func (p pinned) module(t *testing.T) string {
	t.Helper()
	return filepath.Join(root(t), "testbed", p.folder)
}

func root(t *testing.T) string {
	t.Helper()
	folder, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// start starts a program, which ends with the test, and returns what it has said so far.
func start(t *testing.T, c *exec.Cmd) (said func() string) {
	t.Helper()
	p, err := process.Start(c, process.Options{
		Log:       filepath.Join(t.TempDir(), "log"),
		Terminate: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	said = func() string {
		text, err := p.Log()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil { // with what it has started itself
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", c.Path, said())
		}
	})
	return said
}

// command runs a program that must end well, and returns what it wrote.
func command(t *testing.T, folder, name string, arguments ...string) string {
	t.Helper()
	c := exec.Command(name, arguments...)
	c.Dir = folder
	said, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c, err, said)
	}
	return string(said)
}

// traced runs a program to its end, and returns its exit code and what it wrote. It
// is stopped before its first instruction until it is traced: one that does little
// may be gone before it was looked at, and its spans are counted as lost.
func traced(
	t *testing.T, tracer *tracing.Tracer, executable string, arguments ...string,
) (code int, said string) {
	t.Helper()
	before := tracer.MustStats(t).Processes
	c := exec.Command(executable, arguments...)
	c.Dir = t.TempDir()
	var text bytes.Buffer
	c.Stdout, c.Stderr = &text, &text
	stopped(t, c)
	defer func() { _ = c.Process.Kill() }() // unless it has ended
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Processes == before+1
	}, "%s being traced", executable)
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); c.ProcessState == nil || !c.ProcessState.Exited() {
		t.Fatalf("%s: %v\n%s", c, err, text.Bytes())
	}
	tracing.Eventually(t, func() bool {
		return tracer.MustStats(t).Processes == before
	}, "the end of %s being seen", executable)
	return c.ProcessState.ExitCode(), text.String()
}

// stopped starts a program, and leaves it stopped behind its exec.
func stopped(t *testing.T, c *exec.Cmd) {
	t.Helper()
	runtime.LockOSThread() // the thread that starts it is the one that may go on
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(c.Process.Pid, &status, 0, nil); err != nil ||
		status.StopSignal() != syscall.SIGTRAP {
		t.Fatalf("%s has not stopped at its exec: %v, %#x", c, err, status)
	}
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := syscall.PtraceDetach(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
}

// tracedWell is traced for a program that must end well.
func tracedWell(
	t *testing.T, tracer *tracing.Tracer, executable string, arguments ...string,
) string {
	t.Helper()
	code, said := traced(t, tracer, executable, arguments...)
	if code != 0 {
		t.Fatalf("%s %q ended with %d:\n%s", executable, arguments, code, said)
	}
	return said
}

func port(t *testing.T, address string) uint16 {
	t.Helper()
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Port()
}

// listening waits until somebody accepts connections.
func listening(t *testing.T, address string) {
	t.Helper()
	tracing.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		connection.Close()
		return true
	}, "somebody to listen on %s", address)
}
