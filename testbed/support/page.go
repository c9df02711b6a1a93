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

	"github.com/spanprobe/spanprobe/internal/probe"
)

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
