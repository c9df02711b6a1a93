package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

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
