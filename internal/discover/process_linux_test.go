package discover

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// roleVariable makes the test binary play a part in a test: it names one of
// the functions of roles.
const roleVariable = "DISCOVER_TEST_ROLE"

// TestMain runs the tests, or the part that a test gave to this process.
func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	roles := map[string]func(args []string) error{
		"wait":   waitRole,
		"listen": listenRole,
		"exec":   execRole,
		"mount":  mountRole,
		"scan":   scanRole,
	}
	os.Unsetenv(roleVariable)
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

// waitRole waits for the test to end.
func waitRole([]string) error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// listenRole listens on the address of the network that it is given, holds a
// connection to itself if it can, and prints its port.
func listenRole(args []string) error {
	listener, err := net.Listen(args[0], args[1])
	if err != nil {
		return err
	}
	if args[2] == "connect" {
		conn, err := net.Dial(args[0], listener.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// execRole runs another program once it is told to.
func execRole(args []string) error {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	return syscall.Exec(args[0], args, append(os.Environ(), roleVariable+"=wait"))
}

// actor is the test binary in a role.
type actor struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// act starts file, a copy of the test binary, in a role.
func act(t *testing.T, file, role string, change func(*exec.Cmd), args ...string) *actor {
	t.Helper()
	cmd := exec.Command(file, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	if change != nil {
		change(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s as %s: %v", role, file, err)
	}
	a := &actor{t: t, cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
	t.Cleanup(a.end)
	return a
}

func (a *actor) pid() int { return a.cmd.Process.Pid }

// line waits for the actor's next line.
func (a *actor) line() string {
	a.t.Helper()
	text, err := a.stdout.ReadString('\n')
	if err != nil {
		a.t.Fatalf("%s ended: %v", a.cmd.Path, err)
	}
	return strings.TrimSpace(text)
}

func (a *actor) end() {
	a.stdin.Close()
	_ = a.cmd.Process.Kill() // it may have ended by itself
	_ = a.cmd.Wait()         // and says that it was killed
}

// copySelf makes a copy of the test binary.
func copySelf(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := copyFile(self, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func realFinder(t *testing.T, config Config) *Finder {
	t.Helper()
	f, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// scanFor scans, and leaves out the errors that are about processes other than
// the actor: a host may have some that even root cannot look at.
func scanFor(f *Finder, a *actor) Changes {
	changes := f.Scan()
	changes.Errors = slices.DeleteFunc(changes.Errors, func(err error) bool {
		return a == nil || !strings.Contains(err.Error(), f.proc.path(a.pid(), ""))
	})
	return changes
}

func TestARealProcessIsFollowedThroughItsLife(t *testing.T) {
	shop, cart := copySelf(t, "my shop (1)"), copySelf(t, "cart")
	f := realFinder(t, Config{Targets: []Target{{Exe: filepath.Dir(shop) + "/*"}, {Exe: cart}}})
	expect(t, "before it starts", scanFor(f, nil), "")

	a := act(t, shop, "exec", func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "OTEL_RESOURCE_ATTRIBUTES=service.name=from%20env,team=red")
	}, cart, "-x")
	a.line()
	changes := scanFor(f, a)
	if len(changes.Appeared) != 1 {
		t.Fatalf("got %q", summary(changes))
	}
	got := changes.Appeared[0].Process
	id, err := fileID(shop)
	if err != nil {
		t.Fatal(err)
	}
	if got.Exe != shop || got.ID != id || got.PID != a.pid() || got.ServiceName != "from env" ||
		got.StartTicks == 0 {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(map[string]string{"team": "red"}, got.Resource); diff != "" {
		t.Error(diff)
	}

	if err := os.Rename(shop, shop+".old"); err != nil {
		t.Fatal(err)
	}
	expect(t, "its file is renamed", scanFor(f, a), "")
	if err := os.Remove(shop + ".old"); err != nil {
		t.Fatal(err)
	}
	expect(t, "its file is deleted", scanFor(f, a), "")

	if _, err := io.WriteString(a.stdin, "go\n"); err != nil {
		t.Fatal(err)
	}
	a.line()
	expect(t, "it runs another program", scanFor(f, a), fmt.Sprintf("-%d +%d/1", a.pid(), a.pid()))
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitForZombie(t, f.proc, a.pid())
	expect(t, "it is a zombie", scanFor(f, a), fmt.Sprintf("-%d", a.pid()))
	a.end()
	expect(t, "it is no more", scanFor(f, a), "")
}

func waitForZombie(t *testing.T, proc procfs, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s, err := proc.stat(pid); err == nil && s.exiting {
			return
		}
	}
	t.Fatalf("process %d does not end", pid)
}

func TestAnExecOfTheSameFileIsNoticedByAScan(t *testing.T) {
	shop := copySelf(t, "shop")
	f := realFinder(t, Config{Targets: []Target{{Exe: shop}}})
	a := act(t, shop, "exec", nil, shop)
	a.line()
	expect(t, "before", scanFor(f, a), fmt.Sprintf("+%d/0", a.pid()))
	if _, err := io.WriteString(a.stdin, "go\n"); err != nil {
		t.Fatal(err)
	}
	a.line()
	expect(t, "after", scanFor(f, a), fmt.Sprintf("-%d +%d/0", a.pid(), a.pid()))
	expect(t, "later", scanFor(f, a), "")
}

func TestTheDeletedFileOfARunningProcessIsIdentified(t *testing.T) {
	shop := copySelf(t, "shop")
	a := act(t, shop, "wait", nil)
	a.line()
	id, err := fileID(shop)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(shop); err != nil {
		t.Fatal(err)
	}
	changes := scanFor(realFinder(t, Config{Targets: []Target{{Exe: shop}}}), a)
	if len(changes.Appeared) != 1 {
		t.Fatalf("got %q", summary(changes))
	}
	got := changes.Appeared[0].Process
	if got.Exe != shop || got.ServiceName != "shop" || got.ID.Ino != id.Ino ||
		got.ID.Dev != id.Dev {
		t.Errorf("got %+v, want the identity %+v", got, id)
	}
}

func TestRealListenersAreFoundByPort(t *testing.T) {
	shop := copySelf(t, "shop")
	for _, c := range []struct{ network, address, connect string }{
		{"tcp4", "127.0.0.1:0", "connect"},
		{"tcp6", "[::1]:0", "connect"},
		{"tcp", ":0", ""},
	} {
		t.Run(c.network, func(t *testing.T) {
			a := act(t, shop, "listen", nil, c.network, c.address, c.connect)
			var port uint16
			if _, err := fmt.Sscan(a.line(), &port); err != nil {
				t.Fatal(err)
			}
			f := realFinder(t, Config{Targets: []Target{{Exe: shop, Port: int(port)}}})
			expect(t, "scan", scanFor(f, a), fmt.Sprintf("+%d/0", a.pid()))
			f = realFinder(t, Config{Targets: []Target{{Exe: shop, Port: int(port ^ 1)}}})
			expect(t, "scan for another port", scanFor(f, a), "")
			f = realFinder(
				t, Config{Targets: []Target{{Exe: "/**"}}, Exclude: []Target{{Port: int(port)}}},
			)
			for _, m := range scanFor(f, a).Appeared {
				if m.Process.PID == a.pid() {
					t.Error("it appears though its port is excluded")
				}
			}
		})
	}
}

// BenchmarkScanOfThisHost measures a scan of all the processes that run here.
func BenchmarkScanOfThisHost(b *testing.B) {
	f, err := New(Config{Targets: []Target{{Exe: "/nowhere/**"}}})
	if err != nil {
		b.Fatal(err)
	}
	pids, err := f.proc.pids()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f.Scan()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(pids)), "ns/process")
}
