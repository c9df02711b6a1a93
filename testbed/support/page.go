package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const head = `# What is supported

Made by ` + "`make support`" + ` from what ` + "`make test-matrix`" + ` has shown%s: do not edit it. Programs were compiled as each line says and traced in the running
kernel, on amd64; requests and calls went through them, and the spans were compared whole. ` + "**works**" + ` means that every test of that program has
passed, and says how many. **–** means that this combination was not built: nothing is known of it but what its neighbours show.

On arm64 the same programs are traced in an emulated machine (` + "`make test-vm`" + `), one for each library, and offsets are compared for both.

## What is left out by rule

| what | why |
| --- | --- |
| Go 1.16 and older; on arm64 Go 1.17 | arguments are passed on the stack, not in registers |
| a Go, or a version of a module, that the tables do not know, in a program without debug information | what would be read may be somebody else's memory |
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

// render writes the page.
func render(all results) (string, error) {
	if len(all) == 0 {
		return "", errors.New("no test has run")
	}
	var page strings.Builder
	fmt.Fprintf(&page, head, when(all))
	byGo := func(b build) string { return "Go " + b.goes }
	byModule := func(module string) func(build) string {
		return func(b build) string { return fmt.Sprintf("%s, Go %s", b.modules[module], b.goes) }
	}
	without := func(b build) bool { return len(b.modules) == 0 }
	with := func(module string) func(build) bool { return func(b build) bool { return b.modules[module] != "" } }
	for _, section := range []struct {
		title, pkg string
		of         func(build) bool
		row        func(build) string
	}{
		{"Servers and clients of net/http", "nethttp", without, byGo},
		{"Servers and clients of golang.org/x/net/http2", "nethttp", with(moduleNet), byModule(moduleNet)},
		{"gRPC, servers and clients", "grpc", with(moduleGRPC), byModule(moduleGRPC)},
		{"One hit for each call of a function", "shapes", without, byGo},
	} {
		fmt.Fprintf(&page, "\n## %s\n\n", section.title)
		writeGrid(&page, all, section.pkg, section.of, section.row)
	}
	for _, section := range []struct{ title, pkg string }{
		{"Binaries out of the ordinary", "binaries"},
		{"Programs of others", "programs"},
		{"Offsets compared with debug information", "offsets"},
	} {
		fmt.Fprintf(&page, "\n## %s\n\n", section.title)
		writeList(&page, all, section.pkg)
	}
	return page.String(), nil
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

const notRun = "Not in this run: nothing is known of it.\n"

// cell is what came of the tests of one build.
type cell struct {
	passed         int
	failed, others []string
}

func (c *cell) add(name string, r result) {
	switch r.outcome {
	case passed:
		c.passed++
	case failed:
		c.failed = append(c.failed, name)
	default:
		c.others = append(c.others, r.said)
	}
}

func (c *cell) String() string {
	switch {
	case c == nil:
		return "–"
	case len(c.failed) > 0:
		slices.Sort(c.failed)
		return "FAILS: " + strings.Join(slices.Compact(c.failed), ", ")
	case c.passed == 0:
		return "skipped: " + strings.Join(c.others, ", ")
	}
	return fmt.Sprintf("works (%d)", c.passed)
}

// writeGrid writes a table of the builds of a package: versions by shapes.
func writeGrid(page *strings.Builder, all results, pkg string, of func(build) bool, row func(build) string) {
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
		what, _, _ := strings.Cut(t.name, "/")
		cells[name][b.shape].add(what, r)
	}
	if len(rows) == 0 {
		page.WriteString(notRun)
		return
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
}

// writeList writes a line for each test of a package that has none within it.
func writeList(page *strings.Builder, all results, pkg string) {
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
		page.WriteString(notRun)
		return
	}
	slices.SortFunc(names, func(x, y string) int { return strings.Compare(words(x), words(y)) })
	line(page, []string{"", "", "why"})
	line(page, slices.Repeat([]string{"---"}, 3))
	for _, name := range names {
		r := all[test{pkg, name}]
		what := "works"
		switch {
		case r.outcome == failed:
			what = "FAILS"
		case r.outcome == skipped:
			what, r.why = "skipped", r.said
		case r.why != "":
			what = "left out"
		}
		line(page, []string{words(name), what, r.why})
	}
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
