package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
)

func TestThePageShowsEachHookItsCostAndEachOffsetItsOrigin(t *testing.T) {
	out, _ := runOK(t, "inspect", server(t, testbinary.Plain))
	for _, want := range []string{
		"built with    Go 1.26.8 for amd64, fixed addresses",
		"main module   example.com/testserver (devel)",
		"http: traced",
		"net/http.serverHandler.ServeHTTP  enter  push %rbp    emulated",
		"net/http.response.status  120     table of this version",
		"net/http.response.req     8       DWARF of this binary",
		"runtime.map.layout        2       follows from the version of Go",
		"tables        of 2026-11-25; they know Go up to 1.27.4",
		"\n  traced    http\n  not used  grpc\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestThePageSaysWhatIsLeftOutAndWhy(t *testing.T) {
	out, _ := runOK(t, "inspect", server(t, testbinary.Stripped))
	for _, want := range []string{
		"http: NOT TRACED\n  because net/http.response.req: the tables do not cover Go 1.26.8: those of 2026-11-25 know it up to 1.27.4, and the binary has no debug information",
		"stripped; functions come from Go's own table",
		"\n  NOT TRACED  http\n  not used    grpc\n  Nothing in this program would be traced.\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page lacks %q:\n%s", want, out)
		}
	}
}

func TestThePageSaysWhatIsParticularAboutABinary(t *testing.T) {
	r := &report{
		Binary: &model.Binary{
			Path:        "/srv/shop",
			GoVersion:   "1.26.8",
			Arch:        model.AMD64,
			Plugins:     true,
			NoBuildInfo: true,
			Settings: map[string]string{
				"-pgo":         "default.pgo",
				"GOFIPS140":    "v1.0.0-c2097c7c",
				"GOEXPERIMENT": "nodwarf5",
			},
		},
		Plan: &plan.Plan{Libraries: []plan.Library{
			{
				Library: "http",
				Sites: []plan.Site{
					{Symbol: "a.B", OnDemand: true, Class: plan.Emulated},
					{Symbol: "a.C", Class: plan.SingleStepped},
				},
				Fields: []plan.Field{{Exists: true, Source: model.SourceCandidates}, {}, {}},
			},
			{Library: "goroutines", Option: "propagation.goroutine_ancestry"},
		}},
	}
	var page strings.Builder
	if err := r.writePage(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  build info    none; the version of Go is that of the DWARF,", "  experiments   nodwarf5\n", "  profile       optimized by one (-pgo)", "  FIPS 140-3    v1.0.0-c2097c7c;", "  plugins       it can load them;",
		"  traced     http\n  by option  goroutines (propagation.goroutine_ancestry)\n",
		"goroutines: traced, subject to `propagation.goroutine_ancestry`\n",
		"On demand: ", "1 of 2 are single-stepped", "2 more are of other versions; --json lists them.", "all versions that it may be",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, &page)
		}
	}
}

func TestThePageSaysThatAProgramMayTraceItself(t *testing.T) {
	path := testbinary.Instrumented(
		t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Plain},
		testbinary.Provider, "v1.47.0",
	)
	out, _ := runOK(t, "inspect", path)
	for _, want := range []string{
		"http: traced",
		"\n  traced    http\n  not used  grpc\n  BUT LEFT ALONE, unless the receiver has `instrumented: trace`: it contains OpenTelemetry's SDK\n" +
			"  (go.opentelemetry.io/otel/sdk/trace.NewTracerProvider), so it may trace itself.\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page lacks %q:\n%s", want, out)
		}
	}
	if out, _ := runOK(t, "inspect", "--json", path); !strings.Contains(
		out, `"tracer_provider": "go.opentelemetry.io/otel/sdk/trace.NewTracerProvider"`,
	) {
		t.Errorf("JSON does not say it:\n%s", out)
	}
}

func TestJSONHoldsTheWholePlan(t *testing.T) {
	// A flag may come behind the file, too.
	out, _ := runOK(t, "inspect", server(t, testbinary.Plain), "--json")
	var got struct {
		Binary struct {
			GoVersion string `json:"go_version"`
			DWARF     bool   `json:"dwarf"`
		} `json:"binary"`
		Tables    tables `json:"tables"`
		Libraries []struct {
			Library string `json:"library"`
			Unused  bool   `json:"unused"`
			Sites   []struct {
				Symbol     string `json:"symbol"`
				Class      string `json:"class"`
				FileOffset uint64 `json:"file_offset"`
			} `json:"sites"`
			Fields []struct {
				Field  string `json:"field"`
				Source string `json:"source"`
				Offset uint64 `json:"offset"`
			} `json:"fields"`
		} `json:"libraries"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Binary.GoVersion != "1.26.8" || !got.Binary.DWARF || len(got.Libraries) != 2 ||
		!got.Libraries[1].Unused {
		t.Fatalf("it says %+v", got)
	}
	if want := (tables{"2026-11-25", "1.27.4"}); got.Tables != want {
		t.Errorf("the tables are %+v", got.Tables)
	}
	http := got.Libraries[0]
	if len(http.Sites) != 1 || http.Sites[0].Class != "emulated" || http.Sites[0].FileOffset == 0 {
		t.Errorf("the sites are %+v", http.Sites)
	}
	if len(http.Fields) != 3 || http.Fields[0].Source != "table" || http.Fields[0].Offset != 120 {
		t.Errorf("the fields are %+v", http.Fields)
	}
}

func TestAPidStandsForItsExecutable(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "4711"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := server(t, testbinary.Plain)
	if err := os.Symlink(path, filepath.Join(proc, "4711", "exe")); err != nil {
		t.Fatal(err)
	}
	i := testInspector()
	i.proc = proc
	var out, errs bytes.Buffer
	if code := run([]string{"inspect", "4711"}, i, &out, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	if !strings.HasPrefix(out.String(), path+" (pid 4711)\n") {
		t.Errorf("the page begins with %.200s", out.String())
	}
}

func TestWhatCannotBeInspectedFailsWithTheReason(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		argument, says string
	}{
		"script":     {script, "not a Go executable"},
		"directory":  {t.TempDir(), "not a file"},
		"missing":    {filepath.Join(t.TempDir(), "none"), "no such file"},
		"no process": {strconv.Itoa(1 << 30), "no such process"},
		"pid 0":      {"0", "not a pid"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run([]string{"inspect", test.argument}, testInspector(), &out, &errs)
			if code != exitFailed || out.Len() != 0 || !strings.Contains(errs.String(), test.says) {
				t.Errorf("it exits with %d and says %q", code, errs.String())
			}
		})
	}
}

func TestWrongUseShowsTheUsage(t *testing.T) {
	for _, arguments := range [][]string{nil, {"inspect"}, {"inspect", "a", "b"}, {"inspect", "--yaml", "a"}, {"trace"}} {
		var out, errs bytes.Buffer
		if code := run(arguments, testInspector(), &out, &errs); code != exitUsage ||
			!strings.Contains(errs.String(), "Usage:") {
			t.Errorf("%q exits with %d and says %q", arguments, code, errs.String())
		}
	}
	for _, arguments := range [][]string{{"--help"}, {"version"}} {
		if out, _ := runOK(t, arguments...); !strings.Contains(out, "spanprobe") {
			t.Errorf("%q prints %q", arguments, out)
		}
	}
}

func server(t *testing.T, form testbinary.Form) string {
	t.Helper()
	return testbinary.Server(t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: form})
}

func runOK(t *testing.T, arguments ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(arguments, testInspector(), &out, &errs); code != exitOK {
		t.Fatalf("%q exits with %d: %s", arguments, code, errs.String())
	}
	return out.String(), errs.String()
}

// testInspector knows two libraries; its table knows one field.
func testInspector() *inspector {
	response := func(field string) model.Field {
		return model.Field{
			Module:  model.ModuleStd,
			Package: "net/http",
			Struct:  "response",
			Field:   field,
		}
	}
	return &inspector{
		libraries: []probe.Library{
			{
				Name: "http",
				Hooks: []probe.Hook{
					{Symbol: "net/http.serverHandler.ServeHTTP", Program: "serve"},
				},
				Fields: []probe.Field{
					{Field: response("status")},
					{Field: response("req"), Slot: 4},
					{Field: probe.MapLayout, Slot: 8},
				},
				OffsetsSize: 12,
			},
			{
				Name:  "grpc",
				Hooks: []probe.Hook{{Symbol: "google.golang.org/grpc.(*Server).handleStream"}},
			},
		},
		table: onlyField{response("status"), 120},
		proc:  "/proc",
	}
}

// onlyField is a table that knows one field, of all versions that are told.
type onlyField struct {
	field  model.Field
	offset uint64
}

func (o onlyField) Lookup(_, _ string, _ model.Arch, field model.Field) (uint64, bool, bool) {
	return o.offset, true, field == o.field
}

func (onlyField) Extent(string) (newest, made string) { return "1.27.4", "2026-11-25" }

func (onlyField) Candidates(string, model.Arch, model.Field, []model.Field) (uint64, bool, bool) {
	return 0, false, false
}
