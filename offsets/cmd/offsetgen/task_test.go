package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// madeUp is an origin whose releases are given, and which keeps what was asked of it.
type madeUp struct {
	releases []string
	places   map[string]place // of status, by version
	refused  []string         // versions that are not to be had
	compiler map[string]int64 // the compiler's offset, where it is another one
	do       func(what string)
	done     []string
}

func (m *madeUp) versions(context.Context) ([]string, error) { return m.releases, nil }

func (m *madeUp) begin(ctx context.Context, what string) error {
	m.done = append(m.done, what)
	if m.do != nil {
		m.do(what)
	}
	return ctx.Err()
}

func (m *madeUp) examine(ctx context.Context, version string, _ []model.Field) (layout, error) {
	if err := m.begin(ctx, "examine "+version); err != nil {
		return nil, err
	}
	if slices.Contains(m.refused, version) {
		return nil, fmt.Errorf("%w: 410 Gone", errUnavailable)
	}
	at := m.places[version]
	return layout{status.String(): {model.AMD64: at, model.ARM64: at}}, nil
}

func (m *madeUp) compile(
	ctx context.Context, version string, _ []string,
) (map[model.Arch]structs, error) {
	if err := m.begin(ctx, "compile "+version); err != nil {
		return nil, err
	}
	found := structs{}
	if at := m.places[version]; at.Exists {
		found[structOf(status)] = map[string]int64{status.Field: at.Offset}
	}
	if offset, other := m.compiler[version]; other {
		found[structOf(status)][status.Field] = offset
	}
	return map[model.Arch]structs{model.AMD64: found, model.ARM64: found}, nil
}

// take returns what was asked of the origin since the last time.
func (m *madeUp) take() []string {
	done := m.done
	m.done = nil
	return done
}

// newMadeUp has a field that moves in its third release.
func newMadeUp() *madeUp {
	there, moved := place{true, 120, "int"}, place{true, 128, "int"}
	return &madeUp{
		releases: []string{"1.21.0", "1.22.0", "1.23.0", "1.24.0"},
		places: map[string]place{
			"1.21.0": there, "1.22.0": there, "1.23.0": moved, "1.24.0": moved, "1.25.0": moved,
		},
	}
}

func generatorOf(t *testing.T, m *madeUp, r probe.Rule) (g generator, output string) {
	t.Helper()
	folder := t.TempDir()
	origins := func(string, probe.Rule) origin { return m }
	wanted := map[string][]model.Field{model.ModuleStd: {status}}
	return generator{
		wanted,
		map[string]probe.Rule{model.ModuleStd: r},
		origins,
		folder,
		io.Discard,
	}, filepath.Join(folder, "table.txt")
}

func TestARunWithNothingNewDoesNothingAndLeavesNoDifference(t *testing.T) {
	m := newMadeUp()
	g, output := generatorOf(t, m, probe.Rule{})
	run := func() []byte {
		t.Helper()
		if err := g.run(t.Context(), output, nil, true); err != nil {
			t.Fatal(err)
		}
		table, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	// As an earlier day's run leaves it: its date would be the only difference.
	first := []byte(strings.Replace(string(run()), "\nmade 2", "\nmade 1", 1))
	if err := os.WriteFile(output, first, 0o644); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"examine 1.21.0", "examine 1.22.0", "examine 1.23.0", "examine 1.24.0",
		"compile 1.21.0", "compile 1.22.0", "compile 1.23.0", "compile 1.24.0",
	}
	if got := m.take(); !slices.Equal(got, want) {
		t.Errorf("the first run: %q", got)
	}
	second := run()
	if got := m.take(); got != nil || string(second) != string(first) {
		t.Errorf("the second run: %q, and the table\n%s\nwas\n%s", got, second, first)
	}
	m.releases = append(m.releases, "1.25.0")
	third := run()
	if got := m.take(); !slices.Equal(got, []string{"examine 1.25.0", "compile 1.25.0"}) ||
		!strings.Contains(string(third), "1.25.0") {
		t.Errorf("a run with one new release: %q, and the table\n%s", got, third)
	}
}

func TestARunThatIsCutOffGoesOnWhereItWas(t *testing.T) {
	m := newMadeUp()
	g, output := generatorOf(t, m, probe.Rule{})
	for _, c := range []struct {
		cutOff string
		want   []string
	}{
		{"examine 1.23.0", []string{"examine 1.21.0", "examine 1.22.0", "examine 1.23.0"}},
		{"compile 1.22.0", []string{"examine 1.23.0", "examine 1.24.0", "compile 1.21.0", "compile 1.22.0"}},
		{"nowhere", []string{"compile 1.22.0", "compile 1.23.0", "compile 1.24.0"}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		m.do = func(what string) {
			if what == c.cutOff {
				cancel()
			}
		}
		err := g.run(ctx, output, nil, true)
		if cut := c.cutOff != "nowhere"; errors.Is(err, context.Canceled) != cut ||
			!cut && err != nil {
			t.Errorf("cut off at %s: %v", c.cutOff, err)
		}
		if got := m.take(); !slices.Equal(got, c.want) {
			t.Errorf("the run that is cut off at %s: %q, want %q", c.cutOff, got, c.want)
		}
		if _, err := os.Stat(output); errors.Is(err, os.ErrNotExist) != (c.cutOff != "nowhere") {
			t.Errorf("cut off at %s: of the table, %v", c.cutOff, err)
		}
		cancel()
	}
}

func TestAReleaseThatIsNotToBeHadIsNamedInTheTableAndTriedAgain(t *testing.T) {
	m := newMadeUp()
	m.refused = []string{"1.22.0"}
	g, output := generatorOf(t, m, probe.Rule{})
	for _, want := range []bool{true, false} {
		if err := g.run(t.Context(), output, nil, false); err != nil {
			t.Fatal(err)
		}
		table, err := os.ReadFile(output)
		if err != nil || strings.Contains(string(table), "# not to be had: 1.22.0\n") != want {
			t.Errorf("%v\n%s", err, table)
		}
		m.refused = nil
	}
}

func TestWhatTheCompilerDeniesIsAnErrorInEveryRun(t *testing.T) {
	m := newMadeUp()
	m.compiler = map[string]int64{"1.23.0": 136}
	g, output := generatorOf(t, m, probe.Rule{})
	for range 2 {
		err := g.run(t.Context(), output, nil, true)
		if err == nil || !strings.Contains(err.Error(), "go1.23.0") ||
			!strings.Contains(err.Error(), status.String()) {
			t.Errorf("the error %v does not name release and field", err)
		}
	}
	if got := m.take(); len(got) != 8 {
		t.Errorf("what is known is compiled again: %q", got)
	}
	if _, err := os.Stat(output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a table was written: %v", err)
	}
}

func TestAFieldThatDisappearsIsAnErrorUnlessARuleAcceptsIt(t *testing.T) {
	known := probe.Gone{Since: "1.24.0", Fields: []string{status.String()}, Reason: "a test"}
	changed := func(change func(*probe.Gone)) []probe.Gone {
		g := known
		change(&g)
		return []probe.Gone{g}
	}
	for name, c := range map[string]struct {
		accepted []probe.Gone
		ok       bool
	}{
		"no rule":             {nil, false},
		"its rule":            {[]probe.Gone{known}, true},
		"a rule of later on":  {changed(func(g *probe.Gone) { g.Since = "1.25.0" }), false},
		"another field's":     {changed(func(g *probe.Gone) { g.Fields = []string{"net/http.response.statusCode"} }), false},
		"another struct's":    {changed(func(g *probe.Gone) { g.Fields = []string{"net/http.resp"} }), false},
		"its struct's":        {changed(func(g *probe.Gone) { g.Fields = []string{"net/http.response"} }), true},
		"a rule that is none": {changed(func(g *probe.Gone) { g.Since = "latest" }), false},
	} {
		m := newMadeUp()
		m.places["1.24.0"] = place{}
		g, output := generatorOf(t, m, probe.Rule{Gone: c.accepted})
		err := g.run(t.Context(), output, nil, false)
		if c.ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(output); c.ok != (err == nil) {
			t.Errorf("%s: of the table, %v", name, err)
		}
		if c.accepted != nil || err == nil {
			continue
		}
		for _, part := range []string{status.String(), "int", "go1.24.0", "amd64 and arm64", "1.23.0"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not say %q: %v", part, err)
			}
		}
	}
}

func TestTheErrorOfALostFieldNamesWhatHasCome(t *testing.T) {
	there, absent := place{true, 120, "int"}, place{}
	moved := wantedOf("net/http/internal", "Response", "Status")
	renamed := wantedOf("net/http", "response", "code")
	other := wantedOf("net/http", "response", "text")
	old := wantedOf("net/http", "response", "number")
	function := wantedOf("net/http", "response", "status()")
	wanted := []model.Field{status, moved, renamed, other, old, function}
	before := release{"1.23.0", layout{}}
	now := release{"1.24.0", layout{}}
	for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
		for field, places := range map[model.Field][2]place{
			status:   {there, absent},
			moved:    {absent, there},
			renamed:  {absent, {true, 128, "uint64"}},
			other:    {absent, {true, 136, "string"}},
			old:      {there, there},
			function: {absent, {true, 0, "function"}},
		} {
			for i, r := range []release{before, now} {
				if r.layout[field.String()] == nil {
					r.layout[field.String()] = map[model.Arch]place{}
				}
				r.layout[field.String()][arch] = places[i]
			}
		}
	}
	err := task{module: model.ModuleStd, wanted: wanted}.disappearances([]release{before, now})
	want := "in its place: " + moved.String() + ", " + renamed.String() + "."
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	err = task{module: model.ModuleStd, wanted: wanted}.disappearances([]release{now, before})
	if err == nil || !strings.Contains(err.Error(), moved.String()) ||
		strings.Contains(err.Error(), function.String()) {
		t.Errorf("functions tell versions apart by coming and going: %v", err)
	}
}
