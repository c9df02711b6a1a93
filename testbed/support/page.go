package main

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	libraries "github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/probe"
)

//go:embed head.md
var headText string

// head is what the page says before its tables.
var head = template.Must(template.New("head").Parse(headText))

// section is a part of the page: what came of the tests of a package.
type section struct {
	title, pkg string
	// write writes the lines, and tells whether there are any.
	write func(page *strings.Builder, all results, pkg string) bool
}

// supports are the sections that libraries have.
func supports() []probe.Support {
	var all []probe.Support
	for _, library := range libraries.Libraries() {
		all = append(all, library.Support...)
	}
	return all
}

func sections() []section {
	byGo := func(b build) string { return "Go " + b.goes }
	without := func(b build) bool { return len(b.modules) == 0 }
	var all []section
	for _, s := range supports() {
		of, by := without, byGo
		if s.Module != "" {
			of = func(b build) bool { return b.modules[s.Module] != "" }
			by = func(b build) string { return fmt.Sprintf("%s, Go %s", b.modules[s.Module], b.goes) }
		}
		all = append(all, section{s.Title, s.Suite, grid(of, by)})
	}
	return append(all,
		section{"The parent of a call, within a program", "parents", writeRows},
		section{"The parent of a request, from one program to another", "connections", writeRows},
		section{"One hit for each call of a function", "shapes", grid(without, byGo)},
		section{"Binaries out of the ordinary", "binaries", writeList},
		section{"Programs of others", "programs", writeList},
		section{"Offsets compared with debug information", "offsets", writeList})
}

// onlyMatrix is what the name of some test of each suite has if it is one of `make test-matrix`, and
// not of the sample that is in `make test`.
func onlyMatrix() map[string]string {
	only := map[string]string{
		"parents": "-race", "connections": "-race", "shapes": "-race", "binaries": "packed_by_UPX",
		"offsets": "v1.41.0", "plans": "1.33.1", "programs": "TestProgramsThatNobodyHereWrote",
	}
	for _, s := range supports() {
		only[s.Suite] = "-race"
	}
	return only
}

// render writes the page. Every section must have something, and all be of `make
// test-matrix`.
func render(all results) (string, error) {
	var page strings.Builder
	err := errors.Join(head.Execute(&page, struct {
		When     string
		Supports []probe.Support
	}{when(all), supports()}), ofMatrix(all))
	for _, s := range sections() {
		fmt.Fprintf(&page, "\n## %s\n\n", s.title)
		if !s.write(&page, all, s.pkg) {
			err = errors.Join(err, fmt.Errorf("there are no tests of %s for the section %q", s.pkg, s.title))
		}
	}
	return page.String(), err
}

// ofMatrix says which tests are not those of `make test-matrix`.
func ofMatrix(all results) error {
	onlyMatrix := onlyMatrix()
	found := map[string]bool{} // by package: whether it is the matrix
	for t := range all {
		found[t.pkg] = found[t.pkg] || strings.Contains(t.name, onlyMatrix[t.pkg])
	}
	var err error
	for _, pkg := range slices.Sorted(maps.Keys(found)) {
		if _, ok := onlyMatrix[pkg]; !ok {
			err = errors.Join(err, fmt.Errorf("there are tests of %s, which are not those of `make test-matrix`", pkg))
		} else if !found[pkg] {
			err = errors.Join(err, fmt.Errorf("the tests of %s are those of a sample: there is none of %q", pkg, onlyMatrix[pkg]))
		}
	}
	return err
}

// when tells on which day the tests ran.
func when(all results) string {
	var last time.Time
	for _, r := range all {
		if r.at.After(last) {
			last = r.at
		}
	}
	if last.IsZero() {
		return ""
	}
	return " on " + last.Format(time.DateOnly)
}

// cell is what came of the tests of one build.
type cell struct {
	passed  int
	skipped []string // why others were
}

func (c *cell) add(r result) {
	if r.outcome == passed {
		c.passed++
		return
	}
	c.skipped = append(c.skipped, r.said)
}

func (c *cell) String() string {
	switch {
	case c == nil:
		return "–"
	case c.passed == 0:
		slices.Sort(c.skipped)
		return "skipped: " + strings.Join(slices.Compact(c.skipped), ", ")
	}
	return fmt.Sprintf("works (%d)", c.passed)
}

// grid writes a table of some builds of a package: versions by shapes.
func grid(of func(build) bool, row func(build) string) func(*strings.Builder, results, string) bool {
	return func(page *strings.Builder, all results, pkg string) bool {
		cells := map[string]map[string]*cell{}
		var rows, columns []string
		for t, r := range all {
			b, ok := parseBuild(t.name)
			if t.pkg != pkg || !ok || !of(b) {
				continue
			}
			name := row(b)
			if cells[name] == nil {
				cells[name] = map[string]*cell{}
				rows = append(rows, name)
			}
			if cells[name][b.shape] == nil {
				cells[name][b.shape] = &cell{}
				columns = append(columns, b.shape)
			}
			cells[name][b.shape].add(r)
		}
		if len(rows) == 0 {
			return false
		}
		slices.SortFunc(rows, compareVersions)
		slices.SortFunc(columns, compareShapes)
		columns = slices.Compact(columns)
		line(page, append([]string{""}, columns...))
		line(page, slices.Repeat([]string{"---"}, len(columns)+1))
		for _, name := range rows {
			fields := []string{name}
			for _, column := range columns {
				fields = append(fields, cells[name][column].String())
			}
			line(page, fields)
		}
		return true
	}
}

// writeRows writes a line for each program, or pair of programs, that tests of a package
// were made with, and one for each test that is of none.
func writeRows(page *strings.Builder, all results, pkg string) bool {
	of := func(name string) (test, builds string) {
		test, rest, _ := strings.Cut(name, "/")
		first, _, _ := strings.Cut(rest, "/")
		return test, parsePair(first)
	}
	hasBuilds := map[string]bool{}
	for t := range all {
		if test, builds := of(t.name); t.pkg == pkg && builds != "" {
			hasBuilds[test] = true
		}
	}
	built, others := map[string]*cell{}, map[string]*cell{}
	for t, r := range all {
		test, builds := of(t.name)
		if t.pkg != pkg || builds == "" && hasBuilds[test] {
			continue
		}
		cells, name := others, words(test)
		if builds != "" {
			cells, name = built, builds
		}
		if cells[name] == nil {
			cells[name] = &cell{}
		}
		cells[name].add(r)
	}
	if len(built)+len(others) == 0 {
		return false
	}
	line(page, []string{"", ""})
	line(page, []string{"---", "---"})
	for _, cells := range []map[string]*cell{built, others} {
		for _, name := range slices.SortedFunc(maps.Keys(cells), compareVersions) {
			line(page, []string{name, cells[name].String()})
		}
	}
	return true
}

// writeList writes a line for each test of a package that has none within it.
func writeList(page *strings.Builder, all results, pkg string) bool {
	var names []string
	parents := map[string]bool{}
	for t := range all {
		if t.pkg != pkg {
			continue
		}
		names = append(names, t.name)
		for at := range t.name {
			if t.name[at] == '/' {
				parents[t.name[:at]] = true
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return parents[name] })
	if len(names) == 0 {
		return false
	}
	slices.SortFunc(names, func(x, y string) int { return strings.Compare(words(x), words(y)) })
	line(page, []string{"", "", "why"})
	line(page, slices.Repeat([]string{"---"}, 3))
	for _, name := range names {
		r := all[test{pkg, name}]
		what := "works"
		switch {
		case r.outcome == skipped:
			what, r.why = "skipped", r.said
		case r.why != "":
			what = "left out"
		}
		line(page, []string{words(name), what, r.why})
	}
	return true
}

// words make a sentence of a test's name: of the part that tells it from others, if it
// has one, else of the capitals.
func words(name string) string {
	if _, part, ok := strings.Cut(name, "/"); ok {
		return strings.ReplaceAll(strings.ReplaceAll(part, "_", " "), "/", ", ")
	}
	var all []string
	begin := 0
	name = strings.TrimPrefix(name, "Test")
	capital := func(i int) bool { return i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	for i := 1; i <= len(name); i++ {
		inside := i < len(name) && (!capital(i) || capital(i-1) && (capital(i+1) || i+1 == len(name)))
		if inside {
			continue
		}
		word := name[begin:i]
		if word == "A" || len(word) > 1 && !capital(begin+1) {
			word = strings.ToLower(word) // no abbreviation
		}
		all, begin = append(all, word), i
	}
	return strings.Join(all, " ")
}

func line(page *strings.Builder, cells []string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	page.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
