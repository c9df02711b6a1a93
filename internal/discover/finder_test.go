package discover

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
)

// summary is Changes in short: "+12/0" appeared by entry 0, "-12" gone,
// "~12/1" updated to entry 1, "!" an error.
func summary(c Changes) string {
	var words []string
	for _, p := range c.Gone {
		words = append(words, fmt.Sprintf("-%d", p.PID))
	}
	for _, m := range c.Appeared {
		words = append(words, fmt.Sprintf("+%d/%d", m.Process.PID, m.Target))
	}
	for _, m := range c.Updated {
		words = append(words, fmt.Sprintf("~%d/%d", m.Process.PID, m.Target))
	}
	for _, err := range c.Errors {
		words = append(words, "!"+err.Error())
	}
	return strings.Join(words, " ")
}

func expect(t *testing.T, when string, got Changes, want string) {
	t.Helper()
	if s := summary(got); s != want {
		t.Errorf("%s: got %q, want %q", when, s, want)
	}
}

func TestScanFindsProcessesOnceAndMissesThoseThatVanish(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{exe: "shop", start: 1})
	proc.set(11, fakeProcess{exe: "bash", start: 1})
	proc.set(12, fakeProcess{exe: "shop", start: 1})
	f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}}})

	expect(t, "first scan", f.Scan(), "+10/0 +12/0")
	expect(t, "nothing happened", f.Scan(), "")
	proc.remove(10)
	proc.remove(11)
	proc.remove(12)
	expect(t, "all vanished", f.Scan(), "-10 -12")
	expect(t, "still nothing there", f.Scan(), "")
	if len(f.known) != 0 {
		t.Errorf("%d processes are remembered that do not exist", len(f.known))
	}
}

func TestAProcessIsDescribedWhole(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{
		comm:  "a (b) c) S 1",
		exe:   "shop",
		start: 4711,
		stack: 99,
		env: []string{
			"PATH=/bin",
			"OTEL_RESOURCE_ATTRIBUTES=service.name=cart,deployment.environment.name=a%20b",
		},
	})
	changes := proc.finder(Config{Targets: []Target{{PID: 10}}}).Scan()
	if len(changes.Appeared) != 1 || len(changes.Errors) != 0 {
		t.Fatalf("got %q", summary(changes))
	}
	exe := filepath.Join(proc.bin, "shop")
	id, err := fileID(exe)
	if err != nil {
		t.Fatal(err)
	}
	want := Match{Process: model.Process{
		PID: 10, StartTicks: 4711, Exe: exe, ID: id,
		ServiceName: "cart",
		Resource:    map[string]string{"deployment.environment.name": "a b"},
	}}
	if diff := cmp.Diff(want, changes.Appeared[0]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAllKeysOfAnEntryMustMatchAndNoExcludeMay(t *testing.T) {
	proc := newFakeProc(t)
	proc.listen("host", map[int]int{100: 8080}, map[int]int{101: 9090})
	proc.set(10, fakeProcess{exe: "shop", sockets: []int{100}})
	proc.set(11, fakeProcess{exe: "cart", sockets: []int{101}})
	proc.set(12, fakeProcess{exe: "docker", sockets: []int{100, 101}})

	for _, c := range []struct {
		name             string
		targets, exclude []Target
		want             string
	}{
		{"exe", []Target{{Exe: "/**/shop"}}, nil, "+10/0"},
		{"port, IPv4", []Target{{Port: 8080}}, nil, "+10/0 +12/0"},
		{"port, IPv6", []Target{{Port: 9090}}, nil, "+11/0 +12/0"},
		{"pid", []Target{{PID: 11}}, nil, "+11/0"},
		{"exe and port", []Target{{Exe: "/**/docker", Port: 9090}}, nil, "+12/0"},
		{"exe with another's port", []Target{{Exe: "/**/shop", Port: 9090}}, nil, ""},
		{"pid with another's exe", []Target{{Exe: "/**/shop", PID: 11}}, nil, ""},
		{"a port that is only connected", []Target{{Port: connectedPort}}, nil, ""},
		{"any entry", []Target{{Exe: "/**/cart"}, {Port: 8080}}, nil, "+10/1 +11/0 +12/1"},
		{"the first entry counts", []Target{{Port: 8080}, {Exe: "/**"}}, nil, "+10/0 +11/1 +12/0"},
		{"exclude by exe", []Target{{Port: 8080}}, []Target{{Exe: "/**/docker*"}}, "+10/0"},
		{"exclude by port", []Target{{Exe: "/**"}}, []Target{{Port: 8080}}, "+11/0"},
		{"exclude by pid", []Target{{Exe: "/**"}}, []Target{{PID: 11}}, "+10/0 +12/0"},
		{"exclude by two keys", []Target{{Exe: "/**"}}, []Target{{Port: 8080, Exe: "/**/shop"}}, "+11/0 +12/0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := proc.finder(Config{Targets: c.targets, Exclude: c.exclude})
			expect(t, "first scan", f.Scan(), c.want)
			expect(t, "second scan", f.Scan(), "")
		})
	}
}

func TestTheCollectorIsTracedOnlyWhenNamedByPID(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{exe: "otelcol"})
	f := proc.finder(Config{Self: 10, Targets: []Target{{Exe: "/**"}}})
	expect(t, "named by exe", f.Scan(), "")
	f = proc.finder(Config{Self: 10, Targets: []Target{{Exe: "/**"}, {PID: 10}}})
	expect(t, "named by pid", f.Scan(), "+10/1")
}

func TestKernelThreadsZombiesAndTheDyingAreNoProcesses(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{comm: "kworker/0:1", flags: pfKthread})
	proc.set(11, fakeProcess{comm: "defunct"})
	proc.set(12, fakeProcess{exe: "shop", flags: pfExiting})
	f := proc.finder(Config{Targets: []Target{{Exe: "/**"}}})
	expect(t, "scan", f.Scan(), "")
	if len(f.known) != 0 {
		t.Errorf("%d of them are remembered", len(f.known))
	}
}

func TestAScanNoticesWhatNoEventToldOf(t *testing.T) {
	shop := fakeProcess{exe: "shop", start: 1, stack: 1}
	for _, c := range []struct {
		name     string
		now      fakeProcess
		want     string
		newInode bool
	}{
		{"a reused pid", fakeProcess{exe: "shop", start: 2, stack: 1}, "-10 +10/0", false},
		{"an exec of the same file", fakeProcess{exe: "shop", start: 1, stack: 2}, "-10 +10/0", false},
		{"an exec of another file", fakeProcess{exe: "bash", start: 1, stack: 2}, "-10", false},
		{"an exec of a new file of the same name, without address randomisation", shop, "-10 +10/0", true},
		{"an exit in progress", fakeProcess{exe: "shop", start: 1, stack: 1, flags: pfExiting}, "-10", false},
		{"nothing", shop, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			proc := newFakeProc(t)
			proc.set(10, shop)
			f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}}})
			expect(t, "first scan", f.Scan(), "+10/0")
			if c.newInode {
				exe := filepath.Join(proc.bin, "shop")
				if err := os.Rename(exe, exe+".old"); err != nil {
					t.Fatal(err)
				}
			}
			proc.set(10, c.now)
			expect(t, "second scan", f.Scan(), c.want)
			expect(t, "third scan", f.Scan(), "")
		})
	}
}

func TestAProcessThatDidNotMatchIsFoundByAScanAfterAnExec(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{exe: "bash"})
	f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}}})
	expect(t, "before", f.Scan(), "")
	proc.set(10, fakeProcess{exe: "shop"})
	expect(t, "after", f.Scan(), "+10/0")
}

func TestAFileAloneDecidesOnlyIfNoPortOrPidHasAWord(t *testing.T) {
	exe, port, pid := Target{Exe: "/**/shop"}, Target{Port: 80}, Target{PID: 7}
	for _, c := range []struct {
		name             string
		targets, exclude []Target
		want             bool
	}{
		{"an exe", []Target{exe}, nil, true},
		{"an exe behind a port", []Target{port, exe}, nil, true},
		{"a port", []Target{port}, nil, false},
		{"a pid", []Target{pid}, nil, false},
		{"an exe with a port", []Target{{Exe: exe.Exe, Port: 80}}, nil, false},
		{"another exe", []Target{{Exe: "/**/cart"}}, nil, false},
		{"an excluded port", []Target{exe}, []Target{port}, false},
		{"an excluded exe of others", []Target{exe}, []Target{{Exe: "/**/cart"}}, true},
	} {
		f := newFakeProc(t).finder(Config{Targets: c.targets, Exclude: c.exclude})
		if got := f.ByFile("/bin/shop"); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestACheckNoticesAnUntoldExit(t *testing.T) {
	proc := newFakeProc(t)
	f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}}})
	proc.set(10, fakeProcess{exe: "shop"})
	expect(t, "before", f.Scan(), "+10/0")
	expect(t, "while it runs", f.Check(10), "")
	proc.set(10, fakeProcess{exe: "shop", flags: pfExiting})
	expect(t, "when it has ended", f.Check(10), "-10")
}

func TestEventsOfExecAndExit(t *testing.T) {
	proc := newFakeProc(t)
	f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}, {Exe: "/**/cart"}}})
	expect(t, "exit of an unknown process", f.Exit(10, 0), "")
	expect(t, "exec of a process that has vanished", f.Exec(10), "")

	proc.set(10, fakeProcess{exe: "shop"})
	expect(t, "exec of a wanted program", f.Exec(10), "+10/0")
	expect(t, "scan after it", f.Scan(), "")
	proc.set(10, fakeProcess{exe: "cart"})
	expect(t, "exec of another wanted program", f.Exec(10), "-10 +10/1")
	expect(t, "exec of the same program", f.Exec(10), "-10 +10/1")
	proc.set(10, fakeProcess{exe: "bash"})
	expect(t, "exec of an unwanted program", f.Exec(10), "-10")

	proc.set(10, fakeProcess{exe: "shop"})
	expect(t, "exec of the first again", f.Exec(10), "+10/0")
	proc.set(10, fakeProcess{exe: "shop", flags: pfExiting})
	expect(t, "exit", f.Exit(10, 0), "-10")
	expect(t, "scan before it has left /proc", f.Scan(), "")
	expect(t, "exit once more", f.Exit(10, 0), "")
}

// An event may be read late, when another process has got the id of the one that it tells of.
func TestAnEventOfAnEarlierProcessIsNotTakenForThatOfTheNextOne(t *testing.T) {
	const tick = 10_000_000
	proc := newFakeProc(t)
	proc.listen("host", nil, nil)
	f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}, {Port: 8080}}})
	proc.set(10, fakeProcess{exe: "shop", start: 5})
	expect(t, "the first process", f.Scan(), "+10/0")
	proc.set(10, fakeProcess{exe: "shop", start: 7})
	expect(t, "the next one", f.Scan(), "-10 +10/0")
	expect(t, "exit of the first", f.Exit(10, 5*tick+1), "")
	expect(t, "exit of the next one", f.Exit(10, 7*tick+1), "-10")

	proc.set(10, fakeProcess{exe: "cart", start: 9})
	expect(t, "one that is no target", f.Scan(), "")
	expect(t, "the earlier one listens", f.Listen(10, 7*tick, 8080), "")
	if f.Rejects(10, 7*tick) || !f.Rejects(10, 9*tick) {
		t.Error("the entries select another process than the one that is there")
	}
	proc.listen("host", map[int]int{100: 8080}, nil)
	proc.set(10, fakeProcess{exe: "cart", start: 9, sockets: []int{100}})
	expect(t, "the earlier one listens, and so does this", f.Listen(10, 7*tick, 8080), "+10/1")

	proc.set(10, fakeProcess{exe: "shop", start: 11})
	expect(t, "exit of the earlier one", f.Exit(10, 9*tick), "-10")
	expect(t, "one that no look has seen", f.Scan(), "+10/0")
	proc.set(10, fakeProcess{exe: "shop", start: 11, flags: pfExiting})
	expect(t, "exit, in another time namespace", f.Exit(10, 1011*tick), "-10")
}

func TestAListeningSocketDecides(t *testing.T) {
	proc := newFakeProc(t)
	shop := fakeProcess{exe: "shop"}
	proc.set(10, shop)
	proc.listen("host", nil, nil)
	config := Config{Targets: []Target{{Port: 8080, ServiceName: "checkout"}}}

	f := proc.finder(config)
	expect(t, "before it listens", f.Scan(), "")
	expect(t, "it listens on another port", f.Listen(10, 0, 8081), "")
	expect(t, "it listens", f.Listen(10, 0, 8080), "+10/0")
	expect(t, "it listens on another port too", f.Listen(10, 0, 8081), "")
	expect(t, "a scan that sees no listener goes on tracing", f.Scan(), "")

	f = proc.finder(config)
	expect(t, "without events: before", f.Scan(), "")
	proc.listen("host", map[int]int{100: 8080}, map[int]int{})
	shop.sockets = []int{100}
	proc.set(10, shop)
	expect(t, "without events: after", f.Scan(), "+10/0")

	f = proc.finder(config)
	expect(t, "an event that does not know the port", f.Listen(10, 0, 0), "+10/0")
	f = proc.finder(config)
	expect(t, "an exec of what listens already", f.Exec(10), "+10/0")
}

func TestAListenerNamesAProcessAnewOrEndsItsTracing(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{exe: "shop"})
	proc.listen("host", nil, nil)
	f := proc.finder(Config{
		Targets: []Target{{Port: 8080, ServiceName: "checkout"}, {Exe: "/**/shop"}},
		Exclude: []Target{{Port: 2375}},
	})
	changes := f.Exec(10)
	expect(t, "found by exe", changes, "+10/1")
	if name := changes.Appeared[0].Process.ServiceName; name != "shop" {
		t.Errorf("found by exe: service name %q", name)
	}
	changes = f.Listen(10, 0, 8080)
	expect(t, "found by port", changes, "~10/0")
	if name := changes.Updated[0].Process.ServiceName; name != "checkout" {
		t.Errorf("found by port: service name %q", name)
	}
	expect(t, "excluded by port", f.Listen(10, 0, 2375), "-10")
	expect(t, "excluded for good", f.Scan(), "")
}

func TestPortsAreThoseOfTheProcessesOwnNetworkNamespace(t *testing.T) {
	proc := newFakeProc(t)
	proc.listen("host", map[int]int{100: 8080}, nil)
	proc.listen("container", map[int]int{200: 8080}, nil)
	proc.set(10, fakeProcess{exe: "shop", sockets: []int{100}})
	proc.set(11, fakeProcess{exe: "shop", sockets: []int{200}, netns: "container"})
	proc.set(12, fakeProcess{exe: "shop", sockets: []int{100}, netns: "container"})
	f := proc.finder(Config{Targets: []Target{{Port: 8080}}})
	expect(t, "scan", f.Scan(), "+10/0 +11/0")
}

func TestTheTablesOfANetworkNamespaceAreReadOnceForEachScan(t *testing.T) {
	proc := newFakeProc(t)
	proc.listen("host", map[int]int{100: 8080}, nil)
	proc.set(10, fakeProcess{exe: "shop"})
	proc.set(11, fakeProcess{exe: "shop", sockets: []int{100}})
	// The second process of the namespace has no tables: they must not be missed.
	if err := os.Remove(filepath.Join(proc.root, "11", "net")); err != nil {
		t.Fatal(err)
	}
	f := proc.finder(Config{Targets: []Target{{Port: 8080}}})
	expect(t, "scan", f.Scan(), "+11/0")
}

func TestWhatCannotBeReadIsReportedOnceForEachProcess(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{exe: "shop"})
	proc.write(filepath.Join(proc.root, "10", "stat"), "10 (shop S 1")
	proc.set(11, fakeProcess{exe: "shop", env: []string{"OTEL_RESOURCE_ATTRIBUTES=team"}})
	f := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}}})
	expect(t, "first scan", f.Scan(), "+11/0"+
		" !"+proc.root+"/10/stat: no program name in parentheses"+
		" !"+proc.root+`/11/environ: OTEL_RESOURCE_ATTRIBUTES is ignored: "team" has no =`)
	expect(t, "second scan", f.Scan(), "")
	proc.set(10, fakeProcess{exe: "shop"})
	expect(t, "readable at last", f.Scan(), "+10/0")
}

func TestAProcessThatVanishesHalfwayIsNoError(t *testing.T) {
	for _, name := range []string{"stat", "exe", "net/tcp", "ns/net", "fd"} {
		t.Run(name, func(t *testing.T) {
			proc := newFakeProc(t)
			proc.listen("host", map[int]int{100: 8080}, nil)
			proc.set(10, fakeProcess{exe: "shop", sockets: []int{100}})
			if err := os.RemoveAll(filepath.Join(proc.root, "10", name)); err != nil {
				t.Fatal(err)
			}
			f := proc.finder(Config{Targets: []Target{{Port: 8080}}})
			if changes := f.Scan(); len(changes.Errors) != 0 {
				t.Errorf("got %q", summary(changes))
			}
		})
	}
}

func TestAMissingProcIsAnError(t *testing.T) {
	f, err := New(Config{ProcRoot: "/nowhere/proc", Targets: []Target{{PID: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "scan", f.Scan(), "!list processes: open /nowhere/proc: no such file or directory")
}
