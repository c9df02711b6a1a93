package main

import (
	"path"
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
