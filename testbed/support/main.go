// Command support writes docs/support.md from what `make test-matrix` has shown: the programs
// that were traced, how they were built, and those that are left out, with the reason. It reads
// files of test2json. A run may be made in parts: where several files have a test, the last one
// counts. There is no page when a test has failed, when a test is none of
// `make test-matrix`, or when a section has no tests.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/spanprobe/spanprobe/internal/probe"
)

func main() {
	output := flag.String("o", "docs/support.md", "the `file` that the page is written to")
	flag.Parse()
	if err := run(*output, flag.Args(), supports()); err != nil {
		fmt.Fprintln(os.Stderr, "support:", err)
		os.Exit(1)
	}
}

// run writes the page of what the inputs say, with the sections that libraries have.
func run(output string, inputs []string, libraries []probe.Support) error {
	if len(inputs) == 0 {
		return errors.New("name the files that `make test-matrix` has left: dist/matrix.json")
	}
	all := results{}
	for _, input := range inputs {
		if err := all.read(input); err != nil {
			return fmt.Errorf("%s: %w", input, err)
		}
	}
	if failed := all.failed(); len(failed) > 0 {
		return fmt.Errorf("%d tests have failed: %s", len(failed), strings.Join(failed, ", "))
	}
	page, err := render(all, libraries)
	if err != nil {
		return err
	}
	return os.WriteFile(output, []byte(page), 0o644)
}

//go:embed page.md.tmpl
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// onlyMatrix is text that the name of some test of a suite has if the tests are those of `make
// test-matrix`, and not those of the sample that is in `make test`.
func onlyMatrix(libraries []probe.Support) map[string]string {
	only := map[string]string{
		"parents":     "-race",
		"connections": "-race",
		"shapes":      "-race",
		"binaries":    "packed_by_UPX",
		"offsets":     "v1.41.0",
		"plans":       "1.33.1",
		"programs":    "TestProgramsThatNobodyHereWrote",
	}
	for _, s := range libraries {
		only[s.Suite] = "-race"
	}
	return only
}

// render writes the page. Every section must have something, and all be of `make test-matrix`.
func render(all results, libraries []probe.Support) (string, error) {
	type part struct{ Title, Table string }
	var parts []part
	err := ofMatrix(all, libraries)
	for _, s := range sections(libraries) {
		head, rows := s.table(all[s.suite])
		if len(rows) == 0 {
			err = errors.Join(err,
				fmt.Errorf("there are no tests of %s for the section %q: a build of the "+
					"section's module is found by target.Build.String in a test's name",
					s.suite, s.title))
		}
		parts = append(parts, part{s.title, markdown(head, rows)})
	}
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = page.Execute(&text, map[string]any{
		"When": when(all), "Libraries": libraries, "Parts": parts,
	})
	return text.String(), err
}

// ofMatrix says which tests are not those of `make test-matrix`.
func ofMatrix(all results, libraries []probe.Support) error {
	onlyMatrix := onlyMatrix(libraries)
	var err error
	for _, suite := range slices.Sorted(maps.Keys(all)) {
		only, ok := onlyMatrix[suite]
		found := false
		for name := range all[suite] {
			found = found || strings.Contains(name, only)
		}
		if !ok {
			err = errors.Join(err, fmt.Errorf(
				"there are tests of %s, which are not those of `make test-matrix`", suite))
		} else if !found {
			err = errors.Join(err, fmt.Errorf(
				"the tests of %s are those of a sample: there is none of %q", suite, only))
		}
	}
	return err
}

// when is the day on which the last test ended, as YYYY-MM-DD; "" if no input says.
func when(all results) string {
	last := ""
	for _, tests := range all {
		for _, r := range tests {
			if !r.at.IsZero() {
				last = max(last, r.at.Format(time.DateOnly))
			}
		}
	}
	return last
}

func markdown(head []string, rows [][]string) string {
	var text strings.Builder
	rule := slices.Repeat([]string{"---"}, len(head))
	for _, row := range append([][]string{head, rule}, rows...) {
		for _, cell := range row {
			text.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		text.WriteString("|\n")
	}
	return text.String()
}
