package main

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// section is a part of the page: a table of what came of the tests of a suite.
type section struct {
	title, suite string
	table        func(tests map[string]result) (head []string, rows [][]string)
}

// supports are the sections that libraries have. They come first on the page.
func supports() []probe.Support {
	var sections []probe.Support
	for _, library := range all.Libraries() {
		sections = append(sections, library.Support...)
	}
	return sections
}

// sections are those of the page, in its order: those of libraries, and then the others.
func sections(libraries []probe.Support) []section {
	var sections []section
	for _, s := range libraries {
		sections = append(sections, section{s.Title, s.Suite, grid(byBuild(s.Module))})
	}
	return append(sections,
		section{"The parent of a call, within a program", "parents", grid(byProgram(libraries))},
		section{
			"The parent of a request, from one program to another", "connections",
			grid(byProgram(libraries)),
		},
		section{"Each call of a function is one hit", "shapes", grid(byBuild(""))},
		section{"Binaries out of the ordinary", "binaries", list},
		section{"Programs of others", "programs", list},
		section{"Offsets compared with debug information", "offsets", list},
	)
}

// placing tells where each of some tests is counted in a grid; with no row, it is in none.
type placing func(tests map[string]result) func(name string) (row, column string)

// byBuild has versions by shapes: of the builds with a module, or with none for "".
func byBuild(module string) placing {
	place := func(name string) (row, column string) {
		b, ok := parseBuild(name)
		switch version := b.modules[module]; {
		case version != "":
			row = version + ", Go " + b.goes
		case ok && module == "" && len(b.modules) == 0:
			row = "Go " + b.goes
		}
		return row, b.shape
	}
	return func(map[string]result) func(string) (string, string) { return place }
}

// byProgram has a row for each program, or pair of programs, that tests were made with, and one
// for each test that is of none.
func byProgram(libraries []probe.Support) placing {
	of := func(name string) (test, programs string) {
		test, rest, _ := strings.Cut(name, "/")
		first, _, _ := strings.Cut(rest, "/")
		return test, parsePair(first, libraries)
	}
	return func(tests map[string]result) func(name string) (row, column string) {
		hasPrograms := map[string]bool{}
		for name := range tests {
			test, programs := of(name)
			hasPrograms[test] = hasPrograms[test] || programs != ""
		}
		return func(name string) (row, column string) {
			test, programs := of(name)
			if programs == "" && !hasPrograms[test] {
				return words(test), ""
			}
			return programs, ""
		}
	}
}

// list has a row for each test that has none within it.
func list(tests map[string]result) (head []string, rows [][]string) {
	hasWithin := map[string]bool{}
	for name := range tests {
		for outer := path.Dir(name); outer != "."; outer = path.Dir(outer) {
			hasWithin[outer] = true
		}
	}
	for name, r := range tests {
		switch {
		case hasWithin[name]:
		case r.outcome == skipped:
			rows = append(rows, []string{words(name), "skipped", r.said})
		case r.why != "":
			rows = append(rows, []string{words(name), "left out", r.why})
		default:
			rows = append(rows, []string{words(name), "works", ""})
		}
	}
	slices.SortFunc(rows, slices.Compare[[]string])
	return []string{"", "", "why"}, rows
}

// cell is what came of the tests of one place in a grid.
type cell struct {
	passed  int
	skipped []string // the reasons of the others
}

func (c cell) String() string {
	switch {
	case c.passed > 0:
		return fmt.Sprintf("works (%d)", c.passed)
	case len(c.skipped) > 0:
		slices.Sort(c.skipped)
		return "skipped: " + strings.Join(slices.Compact(c.skipped), ", ")
	}
	return "–"
}

// grid is a table that counts tests: rows are sorted by version, columns by shape.
func grid(by placing) func(tests map[string]result) (head []string, rows [][]string) {
	return func(tests map[string]result) (head []string, rows [][]string) {
		cells, names, columns := map[[2]string]cell{}, map[string]bool{}, map[string]bool{}
		place := by(tests)
		for name, r := range tests {
			row, column := place(name)
			if row == "" {
				continue
			}
			names[row], columns[column] = true, true
			c := cells[[2]string{row, column}]
			if r.outcome == passed {
				c.passed++
			} else {
				c.skipped = append(c.skipped, r.said)
			}
			cells[[2]string{row, column}] = c
		}
		head = slices.SortedFunc(maps.Keys(columns), compareShapes)
		for _, name := range slices.SortedFunc(maps.Keys(names), compareVersions) {
			row := []string{name}
			for _, column := range head {
				row = append(row, cells[[2]string{name, column}].String())
			}
			rows = append(rows, row)
		}
		return append([]string{""}, head...), rows
	}
}

// The places within a name where a word begins.
var (
	afterSmall = regexp.MustCompile(`([^A-Z])([A-Z])`)
	afterShort = regexp.MustCompile(`([A-Z])([A-Z][^A-Z])`) // an abbreviation, or "A"
)

// words make a sentence of a test's name: of the part that tells it from others, if it has one,
// else of the capitals.
func words(name string) string {
	if _, part, ok := strings.Cut(name, "/"); ok {
		return strings.NewReplacer("_", " ", "/", ", ").Replace(part)
	}
	name = afterSmall.ReplaceAllString(strings.TrimPrefix(name, "Test"), "$1 $2")
	all := strings.Fields(afterShort.ReplaceAllString(name, "$1 $2"))
	for i, word := range all {
		if word == "A" || word[1:] != strings.ToUpper(word[1:]) {
			all[i] = strings.ToLower(word)
		}
	}
	return strings.Join(all, " ")
}
