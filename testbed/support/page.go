package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const head = `# What is supported

Made by ` + "`make support`" + ` from what ` + "`make test-matrix`" + ` has shown%s: do not edit it. Programs were compiled as each line says and traced in the running
kernel, on amd64; requests and calls went through them, and the spans were compared whole. ` + "**works**" + ` means that every test of that program has
passed, and says how many. **–** means that this combination was not built: nothing is known of it but what its neighbours show.

On arm64 ` + "`make test-vm`" + ` traces, in emulated machines with Linux 6.12, a server and a client of net/http and of gRPC each, stripped:
as Go 1.27.4 compiles them, with gRPC v1.85.0, and as Go 1.18.10 does, with gRPC v1.40.0. It has headers written there into requests
of HTTP/1, HTTP/2 and gRPC v1.85.0 that a program of Go 1.26.8 sends. For which versions offsets were compared on arm64, too, the last
section says. Where programs of all releases between these would be probed there is recorded in ` + "`testbed/suites/plans/testdata`" + `,
with which ` + "`make test-matrix`" + ` compares them.

Programs without cgo that Go 1.20 and older link as static PIE do not start, traced or not: there is nothing of them here.

## What is left out by rule

| what | why |
| --- | --- |
| Go 1.16 and older; on arm64 Go 1.17 | arguments are passed on the stack, not in registers |
| a Go, or a version of a module, that the tables do not know, in a program without debug information | what would be read may be somebody else's memory |
| a program that has neither build information nor debug information | nothing says which Go has compiled it |
| a function that must be seen and was inlined because of a profile (` + "`-pgo`, `default.pgo`" + `) | nothing is left of it to probe; ` + "`-pgo=off`" + ` helps |
| what only plugins (` + "`-buildmode=plugin`" + `) or libraries (` + "`c-shared`" + `) have | probes are attached to the executables of processes |
| programs packed with UPX | the code is not in the file; ` + "`upx -d`" + ` helps |
| 32-bit and big-endian programs, and architectures other than amd64 and arm64 | there are no BPF programs for them |

` + "`spanprobe inspect`" + ` says of one program what would be traced, and what is left out and why.
`

// The paths of modules whose versions are rows.
const (
	moduleNet  = "golang.org/x/net"
	moduleGRPC = "google.golang.org/grpc"
)

// section is a part of the page: what came of the tests of a package.
type section struct {
	title, pkg string
	// write writes the lines, and tells whether there are any.
	write func(page *strings.Builder, all results, pkg string) bool
}

func sections() []section {
	byGo := func(b build) string { return "Go " + b.goes }
	byModule := func(module string) func(build) string {
		return func(b build) string { return fmt.Sprintf("%s, Go %s", b.modules[module], b.goes) }
	}
	without := func(b build) bool { return len(b.modules) == 0 }
	with := func(module string) func(build) bool { return func(b build) bool { return b.modules[module] != "" } }
	return []section{
		{"Servers and clients of net/http", "nethttp", grid(without, byGo)},
		{"Servers and clients of golang.org/x/net/http2", "nethttp", grid(with(moduleNet), byModule(moduleNet))},
		{"gRPC, servers and clients", "grpc", grid(with(moduleGRPC), byModule(moduleGRPC))},
		{"The parent of a call, within a program", "parents", writeRows},
		{"The parent of a request, from one program to another", "connections", writeRows},
		{"One hit for each call of a function", "shapes", grid(without, byGo)},
		{"Binaries out of the ordinary", "binaries", writeList},
		{"Programs of others", "programs", writeList},
		{"Offsets compared with debug information", "offsets", writeList},
	}
}

// onlyMatrix is what the name of some test of a package has if it is one of `make
// test-matrix`, and not of the sample that is in `make test`.
var onlyMatrix = map[string]string{
	"nethttp": "-race", "grpc": "-race", "parents": "-race", "connections": "-race", "shapes": "-race",
	"binaries": "packed_by_UPX", "offsets": "v1.41.0", "plans": "1.33.1", "programs": "TestProgramsThatNobodyHereWrote",
}

// render writes the page. Every section must have something, and all be of `make
// test-matrix`.
func render(all results) (string, error) {
	var page strings.Builder
	fmt.Fprintf(&page, head, when(all))
	err := ofMatrix(all)
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
