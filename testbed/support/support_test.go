package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const text = `=== RUN   TestEverySpan
=== RUN   TestEverySpan/go1.26.8_-buildmode=pie_stripped_google.golang.org/grpc@v1.75.0
    logger.go:146: --- PASS: said by the program
--- PASS: TestEverySpan (1.00s)
    --- PASS: TestEverySpan/go1.26.8_-buildmode=pie_stripped_google.golang.org/grpc@v1.75.0 (0.50s)
    --- PASS: TestEverySpan/go1.9.1_google.golang.org/grpc@v1.75.0 (0.50s)
    --- PASS: TestEverySpan/go1.9.1_google.golang.org/grpc@v1.75.0/unary (0.50s)
--- FAIL: TestCalls (1.00s)
    --- FAIL: TestCalls/go1.26.8_google.golang.org/grpc@v1.75.0 (0.50s)
FAIL
FAIL	example.com/testbed/grpc	2.000s
=== RUN   TestForms/packed_by_UPX
=== ATTR  TestForms/packed_by_UPX why unpack | it
--- PASS: TestForms (1.00s)
    --- PASS: TestForms/packed_by_UPX (0.50s)
    --- PASS: TestForms/with_FIPS,_latest (0.50s)
--- SKIP: TestInCWithHTTPServers (0.00s)
ok  	example.com/testbed/binaries	2.000s
`

const lines = `{"Time":"2026-11-25T20:00:00Z","Action":"run","Package":"example.com/testbed/grpc","Test":"TestCalls/go1.26.8_google.golang.org/grpc@v1.75.0"}
{"Time":"2026-11-25T20:00:01Z","Action":"pass","Package":"example.com/testbed/grpc","Test":"TestCalls/go1.26.8_google.golang.org/grpc@v1.75.0"}
{"Time":"2026-11-25T20:00:01Z","Action":"pass","Package":"example.com/testbed/grpc","Test":"TestCalls"}
{"Time":"2026-11-25T20:00:01Z","Action":"attr","Package":"example.com/testbed/binaries","Test":"TestForms/bare","Key":"why","Value":"no version"}
{"Time":"2026-11-25T20:00:02Z","Action":"pass","Package":"example.com/testbed/binaries","Test":"TestForms/bare"}
{"Time":"2026-11-25T20:00:02Z","Action":"output","Package":"example.com/testbed/programs","Test":"TestCaddy","Output":"    caddy_test.go:12: there is no apt-get\n"}
{"Time":"2026-11-25T20:00:02Z","Action":"skip","Package":"example.com/testbed/programs","Test":"TestCaddy"}
`

func TestThePageSaysOfEachCombinationWhatCameOfIt(t *testing.T) {
	page := pageOf(t, text)
	for _, want := range []string{
		"|  | plain | PIE, stripped |\n| --- | --- | --- |\n",
		"| v1.75.0, Go 1.9.1 | works (2) | – |\n| v1.75.0, Go 1.26.8 | FAILS: TestCalls | works (1) |\n",
		"| in C with HTTP servers | skipped |  |\n",
		"| packed by UPX | left out | unpack \\| it |\n",
		"| with FIPS, latest | works |  |\n",
		"## Programs of others\n\n" + notRun,
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
	page := pageOf(t, text, lines)
	for _, want := range []string{
		" has shown on 2026-11-25: ",
		"| v1.75.0, Go 1.26.8 | works (1) | works (1) |\n",
		"| bare | left out | no version |\n",
		"| caddy | skipped | there is no apt-get |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestOutputThatIsNotWholeIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "matrix")
	for name, content := range map[string]string{
		"text": strings.TrimSuffix(text, "ok  \texample.com/testbed/binaries\t2.000s\n"), "JSON": lines[:len(lines)-20], "nothing": "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := read(path, results{}); err == nil {
			t.Errorf("%s that is cut off is taken", name)
		}
	}
}

func TestBuildsAreReadFromTheNamesOfTests(t *testing.T) {
	for name, want := range map[string]build{
		"TestX/go1.26.8":                    {goes: "1.26.8", shape: "plain"},
		"TestX/go1.17.13_stripped/unary":    {goes: "1.17.13", shape: "stripped"},
		"TestX/go1.26.8_-gcflags=all=-N_-l": {goes: "1.26.8", shape: "not optimized"},
		"TestX/go1.26.8_-ldflags=-s_-w_-linkmode_external_-extldflags_-static-pie_-buildmode=pie_-tags=netgo,osusergo": {goes: "1.26.8", shape: "static PIE"},
		"TestX/go1.26.8_-msan": {goes: "1.26.8", shape: "-msan"},
		"TestX/go1.27.4_-tags=newclient_stripped_google.golang.org/grpc@v1.85.0/a_way": {
			goes: "1.27.4", shape: "stripped", modules: map[string]string{moduleGRPC: "v1.85.0"},
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

// pageOf is the page of what test runs wrote.
func pageOf(t *testing.T, inputs ...string) string {
	t.Helper()
	all := results{}
	for _, input := range inputs {
		path := filepath.Join(t.TempDir(), "matrix")
		if err := os.WriteFile(path, []byte(input), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := read(path, all); err != nil {
			t.Fatal(err)
		}
	}
	page, err := render(all)
	if err != nil {
		t.Fatal(err)
	}
	return page
}
