package hostile

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// attacks are of an unprivileged user, whose executables are targets.
var attacks = map[string]func(*testing.T, *scene){
	"programs that start and end":            startAndEnd,
	"executables that change":                changeExecutables,
	"a FIFO and a device in its place":       replaceExecutable,
	"an environment of 2 MB":                 fillEnvironments,
	"1,024 files":                            runManyFiles,
	"huge texts in build information":        tellMuch,
	"nothing but returns":                    returnEverywhere,
	"headers of 1 MB":                        sendLongHeaders,
	"20,000 long handlers":                   holdRequests,
	"100,000 fake ids of goroutines":         fakeGoroutines,
	"memory that userfaultfd does not yield": hideGoroutine,
}

func TestAnAttackTakesNothingFromAnother(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		t.Run(name, func(t *testing.T) { beside(t, attacks[name]) })
	}
}

// startAndEnd runs a program again and again, which ends at once.
func startAndEnd(t *testing.T, s *scene) {
	s.flooder(t)
	for range 2 {
		s.script(t, "while :; do ./target </dev/null >/dev/null; done")
	}
	s.logged(t, "Tracing a target", 500)
}

// changeExecutables replaces, touches and overwrites a file, which runs now and then.
func changeExecutables(t *testing.T, s *scene) {
	s.flooder(t)
	s.script(t,
		"while :; do",
		"	(sleep 0.1 | ./target >/dev/null) & cp target new; mv new target",
		"	touch target; ./target </dev/null >/dev/null",
		"	cp target other; wait; cat other >target; echo >>rounds",
		"done")
	tracing.Eventually(t, func() bool {
		rounds, err := os.ReadFile(filepath.Join(s.folder, "rounds"))
		return err == nil && len(rounds) >= 30
	}, "an executable to change 30 times")
	s.logged(t, "Tracing a target", 2)
}

// replaceExecutable runs files at a path in a mount namespace of its own. In the collector's, this
// path is something that must not be opened: a FIFO has whoever opens it wait, and a device may do
// anything then.
func replaceExecutable(t *testing.T, s *scene) {
	fifo, device := filepath.Join(s.folder, "fifo"), filepath.Join(s.folder, "device")
	if err := unix.Mkfifo(fifo, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(device, unix.S_IFCHR|0o777, int(unix.Mkdev(1, 3))); err != nil { // null
		t.Fatal(err)
	}
	opened, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(opened) })
	for _, path := range []string{fifo, device} {
		if _, err := unix.InotifyAddWatch(opened, path, unix.IN_OPEN); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(target.MustCompile(t, flooder))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := nobodysFolder(t)
	if err := os.WriteFile(filepath.Join(elsewhere, "flooder"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-c", strings.Join([]string{
		"set -e; mount -t tmpfs none " + s.folder + "; cd " + s.folder,
		"while :; do for name in fifo device; do",
		"	cp " + elsewhere + "/flooder $name; ./$name </dev/null >/dev/null; rm $name",
		"done; done",
	}, "\n"))
	// What an unprivileged user may do: the root of this namespace is nobody outside.
	own := []syscall.SysProcIDMap{{HostID: nobody, Size: 1}}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: own, GidMappings: own, Credential: &syscall.Credential{},
	}
	s.run(t, command)
	time.Sleep(5 * time.Second)

	if n, err := unix.Read(opened, make([]byte, 4096)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("somebody has opened what is none of the executables: %d, %v", n, err)
	}
	// There is no reader, not even one that waits for a writer.
	if fd, err := unix.Open(fifo, unix.O_WRONLY|unix.O_NONBLOCK, 0); !errors.Is(err, unix.ENXIO) {
		t.Errorf("somebody reads the FIFO: %d, %v", fd, err)
	}
}

// fillEnvironments runs programs with large environments, as many as fit together.
func fillEnvironments(t *testing.T, s *scene) {
	executable := s.flooder(t)
	const longest = 128<<10 - 1 // MAX_ARG_STRLEN of the kernel's include/uapi/linux/binfmts.h
	var environment []string
	for i := range 15 {
		name, value := fmt.Sprintf("V%d=", i), "x"
		switch i {
		case 0:
			name = "OTEL_SERVICE_NAME="
		case 1:
			name, value = "OTEL_RESOURCE_ATTRIBUTES=", "k=v,"
		}
		environment = append(environment, (name + strings.Repeat(value, longest))[:longest])
	}
	for range 64 {
		command := asNobody(exec.Command(executable))
		command.Env = environment
		target.StartCommand(t, command, nil)
	}
	s.logged(t, "Tracing a target", 1+64)
}

// sendLongHeaders sends requests with the longest headers that a server of net/http takes.
func sendLongHeaders(t *testing.T, s *scene) {
	f := s.flood(t, "answer 4 1000000")
	await(t, f, 200)
}

func holdRequests(t *testing.T, s *scene) {
	const held = 20000
	f := s.flood(t, fmt.Sprint("hold ", held))
	await(t, f, held)
}

// fakeGoroutines leaves operations behind that no goroutine will finish.
func fakeGoroutines(t *testing.T, s *scene) {
	const faked = 100000
	f := s.flood(t, fmt.Sprint("fake ", faked))
	await(t, f, faked)
}

// hideGoroutine begins a request in a goroutine whose memory cannot be read, and waits until the
// collector tries to read it.
func hideGoroutine(t *testing.T, s *scene) {
	faults, err := os.OpenFile("/dev/userfaultfd", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer faults.Close()
	command := asNobody(exec.Command(s.flooder(t)))
	command.ExtraFiles = []*os.File{faults}
	f := target.StartCommand(t, command, nil)
	s.logged(t, "Tracing a target", 2)
	f.Ask(t, "hold 100") // so that the runtime.g is beside those of goroutines that rest
	await(t, f, 100)
	f.Ask(t, "hide 1")
	t.Cleanup(func() { // it hangs, and is not asked to end
		if err := f.Kill(); err != nil {
			t.Error(err)
		}
	})
	reading := fmt.Sprintf("%d ", unix.SYS_PROCESS_VM_READV)
	tracing.Eventually(t, func() bool {
		time.Sleep(100 * time.Millisecond) // the collector's time counts, which is this process's
		calls, err := filepath.Glob("/proc/self/task/*/syscall")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(calls, func(path string) bool {
			call, err := os.ReadFile(path)
			return err == nil && strings.HasPrefix(string(call), reading)
		})
	}, "the collector to read the memory that hangs")
}

// flood runs the flooder with an order, which it follows once it is traced.
func (s *scene) flood(t *testing.T, order string) *target.Server {
	t.Helper()
	f := target.StartCommand(t, asNobody(exec.Command(s.flooder(t))), nil)
	s.logged(t, "Tracing a target", 2)
	f.Ask(t, order)
	return f
}
