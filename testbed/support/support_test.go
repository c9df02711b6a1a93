package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/probe"
)

// libraries have the sections of these tests: the real ones come and go.
var libraries = []probe.Support{
	{Title: "Servers and clients of net/http", Suite: "nethttp", ARM64: "A server."},
	{
		Title: "Servers and clients of golang.org/x/net/http2", Suite: "nethttp",
		Module: "golang.org/x/net",
	},
	{
		Title: "gRPC, servers and clients", Suite: "grpc", Module: "google.golang.org/grpc",
		Short: "grpc", Label: "gRPC",
	},
}

// text has something for each section.
const text = `=== RUN   TestEverySpan
=== RUN   TestEverySpan/go1.26.8_-buildmode=pie_stripped_google.golang.org/grpc@v1.75.0
    logger.go:146: --- PASS: said by the program
--- PASS: TestEverySpan (1.00s)
    --- PASS: TestEverySpan/go1.26.8_-buildmode=pie_stripped_google.golang.org/grpc@v1.75.0 (0.50s)
    --- PASS: TestEverySpan/go1.9.1_google.golang.org/grpc@v1.75.0 (0.50s)
    --- PASS: TestEverySpan/go1.9.1_google.golang.org/grpc@v1.75.0/unary (0.50s)
    --- SKIP: TestEverySpan/go1.9.1_-race_google.golang.org/grpc@v1.75.0 (0.50s)
ok  	example.com/testbed/suites/grpc	2.000s
=== RUN   TestForms/packed_by_UPX
=== ATTR  TestForms/packed_by_UPX why unpack | it
--- PASS: TestForms (1.00s)
    --- PASS: TestForms/packed_by_UPX (0.50s)
    --- PASS: TestForms/with_FIPS,_latest (0.50s)
--- SKIP: TestInCWithHTTPServers (0.00s)
ok  	example.com/testbed/suites/binaries	2.000s
--- PASS: TestEverySpan (1.00s)
    --- PASS: TestEverySpan/go1.26.8_-race (0.50s)
    --- PASS: TestEverySpan/go1.26.8_golang.org/x/net@v0.17.0 (0.50s)
ok  	example.com/testbed/suites/nethttp	2.000s
--- PASS: TestHits (1.00s)
    --- PASS: TestHits/go1.26.8_-race (0.50s)
ok  	example.com/testbed/suites/shapes	2.000s
--- PASS: TestTheParent (1.00s)
    --- PASS: TestTheParent/go1.22.12_stripped_grpc_1.69.4 (0.50s)
    --- PASS: TestTheParent/go1.22.12_stripped_grpc_1.69.4/http1/grpc/handler (0.50s)
    --- PASS: TestTheParent/go1.9.4_-race_grpc_1.85.0 (0.50s)
--- PASS: TestWithAncestry (1.00s)
    --- PASS: TestWithAncestry/http1 (0.50s)
ok  	example.com/testbed/suites/parents	2.000s
--- PASS: TestJoined (1.00s)
    --- PASS: TestJoined/go1.27.4_-race_grpc_1.85.0_to_go1.20.14_grpc_1.33.1 (0.50s)
    --- PASS: TestJoined/go1.27.4_-race_grpc_1.85.0_to_go1.20.14_grpc_1.33.1/unary-tls (0.50s)
ok  	example.com/testbed/suites/connections	2.000s
--- PASS: TestOffsets (1.00s)
    --- PASS: TestOffsets/v1.41.0_with_go1.18.10_on_arm64 (0.50s)
ok  	example.com/testbed/suites/offsets	2.000s
--- PASS: TestPlans (1.00s)
    --- PASS: TestPlans/gRPC_server_go1.20.14_v1.33.1_arm64 (0.50s)
ok  	example.com/testbed/suites/plans	2.000s
--- PASS: TestCaddy (1.00s)
--- PASS: TestProgramsThatNobodyHereWrote (1.00s)
ok  	example.com/testbed/suites/programs	2.000s
`

const lines = `{"Time":"2026-11-25T20:00:00Z","Action":"start","Package":"example.com/testbed/suites/grpc"}
{"Time":"2026-11-25T20:00:00Z","Action":"run","Package":"example.com/testbed/suites/grpc","Test":"TestCalls"}
{"Time":"2026-11-25T20:00:00Z","Action":"run","Package":"example.com/testbed/suites/grpc","Test":"TestCalls/go1.26.8_google.golang.org/grpc@v1.75.0"}
{"Time":"2026-11-25T20:00:01Z","Action":"pass","Package":"example.com/testbed/suites/grpc","Test":"TestCalls/go1.26.8_google.golang.org/grpc@v1.75.0"}
{"Time":"2026-11-25T20:00:01Z","Action":"pass","Package":"example.com/testbed/suites/grpc","Test":"TestCalls"}
{"Time":"2026-11-25T20:00:01Z","Action":"pass","Package":"example.com/testbed/suites/grpc"}
{"Time":"2026-11-25T20:00:01Z","Action":"start","Package":"example.com/testbed/suites/binaries"}
{"Time":"2026-11-25T20:00:01Z","Action":"attr","Package":"example.com/testbed/suites/binaries","Test":"TestForms/bare","Key":"why","Value":"no version"}
{"Time":"2026-11-25T20:00:02Z","Action":"pass","Package":"example.com/testbed/suites/binaries","Test":"TestForms/bare"}
{"Time":"2026-11-25T20:00:01Z","Action":"pass","Package":"example.com/testbed/suites/binaries"}
{"Time":"2026-11-25T20:00:01Z","Action":"start","Package":"example.com/testbed/suites/programs"}
{"Time":"2026-11-25T20:00:02Z","Action":"output","Package":"example.com/testbed/suites/programs","Test":"TestCaddy","Output":"    caddy_test.go:12: there is no apt-get\n"}
{"Time":"2026-11-25T20:00:02Z","Action":"skip","Package":"example.com/testbed/suites/programs","Test":"TestCaddy"}
{"Time":"2026-11-25T20:00:02Z","Action":"pass","Package":"example.com/testbed/suites/programs"}
`

func TestThePageSaysOfEachCombinationWhatCameOfIt(t *testing.T) {
	page := pageOf(t, text)
	for _, want := range []string{
		"\n\n- A server.\n\n",
		"|  | plain | PIE, stripped | race detector |\n| --- | --- | --- | --- |\n",
		"| v1.75.0, Go 1.9.1 | works (2) | – | skipped:  |\n" +
			"| v1.75.0, Go 1.26.8 | – | works (1) | – |\n",
		"| in C with HTTP servers | skipped |  |\n",
		"| packed by UPX | left out | unpack \\| it |\n",
		"| with FIPS, latest | works |  |\n",
		"| Go 1.9.4, gRPC v1.85.0, race detector | works (1) |\n" +
			"| Go 1.22.12, gRPC v1.69.4, stripped | works (2) |\n" +
			"| with ancestry | works (2) |\n",
		"| Go 1.27.4, gRPC v1.85.0, race detector → Go 1.20.14, gRPC v1.33.1 | works (2) |\n",
		"## Programs of others\n\n|  |  | why |\n| --- | --- | --- |\n" +
			"| caddy | works |  |\n| programs that nobody here wrote | works |  |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestALaterRunOfATestCounts(t *testing.T) {
	page := pageOf(t, failing("TestCalls/go1.26.8_google.golang.org/grpc@v1.75.0"), lines)
	for _, want := range []string{
		" on 2026-11-25: do not edit it.",
		"| v1.75.0, Go 1.26.8 | works (1) | works (1) | – |\n",
		"| bare | left out | no version |\n",
		"| caddy | skipped | there is no apt-get |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// failing is the text with a failed test of gRPC's.
func failing(name string) string {
	return strings.Replace(text, "ok  \texample.com/testbed/suites/grpc",
		"--- FAIL: "+name+" (0.50s)\nFAIL\nFAIL\texample.com/testbed/suites/grpc", 1)
}

func TestThereIsNoPageOfWhatDidNotHold(t *testing.T) {
	event := func(action, test string) string {
		const pkg = "example.com/testbed/suites/grpc"
		return fmt.Sprintf(`{"Action":%q,"Package":%q,"Test":%q}`+"\n", action, pkg, test)
	}
	for name, c := range map[string]struct {
		inputs []string
		says   string
	}{
		"a test that failed": {
			[]string{failing("TestCalls/go1.26.8")},
			"grpc.TestCalls/go1.26.8",
		},
		"a test that failed at last": {
			[]string{text, event("start", "") + event("fail", "TestEverySpan") + event("fail", "")},
			"1 tests have failed: grpc.TestEverySpan",
		},
		"a test that did not end": {
			[]string{text, event("start", "") + event("run", "TestEverySpan") + event("fail", "")},
			"1 tests have failed: grpc.TestEverySpan",
		},
		"tests that were cut short": {
			[]string{text, event("start", "") + event("run", "TestOther") +
				event("pass", "TestEverySpan")},
			"2 tests have failed: grpc, grpc.TestOther",
		},
		"tests that were not built": {
			[]string{text, event("start", "") + event("fail", "")},
			"1 tests have failed: grpc",
		},
		"tests that panic": {
			[]string{strings.Replace(text, "ok  \texample.com/testbed/suites/grpc",
				"FAIL\texample.com/testbed/suites/grpc", 1)},
			"1 tests have failed: grpc",
		},
		"a section without tests": {
			[]string{strings.ReplaceAll(text, "golang.org/x/net@v0.17.0", "-cover")},
			"there are no tests of nethttp for the section " +
				`"Servers and clients of golang.org/x/net/http2"`,
		},
		"a package without tests": {
			[]string{strings.Replace(text, "example.com/testbed/suites/programs",
				"example.com/testbed/suites/binaries", 1)},
			"there are no tests of programs for",
		},
		"a sample": {
			[]string{strings.Replace(text, "TestHits/go1.26.8_-race", "TestHits/go1.26.8", 1)},
			"the tests of shapes are those of a sample",
		},
		"tests of something else": {
			[]string{text + "--- PASS: TestTrees (1.00s)\n" +
				"ok  \texample.com/testbed/suites/chain\t1.000s\n"},
			"there are tests of chain, which are not those of",
		},
		"tests of no testbed": {
			[]string{text + "--- PASS: TestTrees (1.00s)\nok  \texample.com/bpf/nethttp\t1.000s\n"},
			"there are tests of example.com/bpf/nethttp, which are not those of",
		},
	} {
		t.Run(name, func(t *testing.T) {
			page := filepath.Join(t.TempDir(), "support.md")
			err := run(page, written(t, c.inputs), libraries)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v", err)
			}
			if _, err := os.Stat(page); err == nil {
				t.Error("there is a page")
			}
		})
	}
}

func TestOutputThatIsNotWholeIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "matrix")
	for name, content := range map[string]string{
		"text":    text, // which is of go test -v
		"JSON":    lines[:len(lines)-20],
		"nothing": "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := (results{}).read(path); err == nil {
			t.Errorf("%s that is no whole output of test2json is taken", name)
		}
	}
}

func TestBuildsAreReadFromTheNamesOfTests(t *testing.T) {
	for name, want := range map[string]build{
		"TestX/go1.26.8":                    {goes: "1.26.8", shape: "plain"},
		"TestX/go1.17.13_stripped/unary":    {goes: "1.17.13", shape: "stripped"},
		"TestX/go1.26.8_-gcflags=all=-N_-l": {goes: "1.26.8", shape: "not optimized"},
		"TestX/go1.26.8_-ldflags=-s_-w_-linkmode_external_-extldflags_-static-pie" +
			"_-buildmode=pie_-tags=netgo,osusergo": {goes: "1.26.8", shape: "static PIE"},
		"TestX/go1.26.8_-msan": {goes: "1.26.8", shape: "-msan"},
		"TestX/go1.27.4_-tags=newclient_stripped_google.golang.org/grpc@v1.85.0/a_way": {
			goes: "1.27.4", shape: "stripped",
			modules: map[string]string{"google.golang.org/grpc": "v1.85.0"},
		},
	} {
		got, ok := parseBuild(name)
		if len(got.modules) == 0 {
			got.modules = nil
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(build{})); diff != "" || !ok {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if b, ok := parseBuild("TestX/HTTP_2"); ok {
		t.Errorf("a build where there is none: %+v", b)
	}
}

// written are files with some contents.
func written(t *testing.T, contents []string) []string {
	t.Helper()
	var paths []string
	for _, content := range contents {
		path := filepath.Join(t.TempDir(), "matrix")
		if err := os.WriteFile(path, asEvents(t, content), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// pageOf is the page of what test runs wrote.
func pageOf(t *testing.T, inputs ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "support.md")
	if err := run(path, written(t, inputs), libraries); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The lines of `go test -v` that are of a test, and of a package.
var (
	testLine    = regexp.MustCompile(`^\s*(?:===|---) (RUN|ATTR|PASS|FAIL|SKIP):?\s+(\S+) ?(.*)`)
	packageLine = regexp.MustCompile(`^(ok|FAIL)\s+(\S+/\S+)`)
)

// asEvents makes of text what test2json makes of it, as far as it is read, and leaves its own lines
// as they are. In text, the package of tests comes behind them.
func asEvents(t *testing.T, text string) []byte {
	t.Helper()
	var pending []event
	var output bytes.Buffer
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "{") {
			output.WriteString(line)
		} else if of := testLine.FindStringSubmatch(line); of != nil {
			e := event{Action: strings.ToLower(of[1]), Test: of[2]}
			e.Key, e.Value, _ = strings.Cut(of[3], " ") // of an attribute
			pending = append(pending, e)
		} else if of := packageLine.FindStringSubmatch(line); of != nil {
			end := event{Action: map[string]string{"ok": "pass", "FAIL": "fail"}[of[1]]}
			all := slices.Concat([]event{{Action: "start"}}, pending, []event{end})
			for _, e := range all {
				e.Package = of[2]
				if err := json.NewEncoder(&output).Encode(e); err != nil {
					t.Fatal(err)
				}
			}
			pending = nil
		}
	}
	return output.Bytes()
}
