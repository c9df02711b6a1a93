package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// build is how a program was compiled, as the name of a test tells: what
// testbed/harness/target writes, with underscores.
type build struct {
	goes    string // "1.26.8"
	shape   string // how it was built, in words
	modules map[string]string
}

// shapes are the words for the flags of a build, in the order of the page's columns.
var shapes = []struct{ flags, words string }{
	{"", "plain"},
	{"stripped", "stripped"},
	{"-buildmode=pie", "PIE"},
	{"-buildmode=pie stripped", "PIE, stripped"},
	{"-ldflags=-linkmode external", "linked externally"},
	{"-buildmode=pie -tags=netgo,osusergo -ldflags=-linkmode external -extldflags -static-pie", "static PIE"},
	{"-ldflags=-s -w -linkmode external -extldflags -static-pie -buildmode=pie -tags=netgo,osusergo", "static PIE"},
	{"-race", "race detector"},
	{"-cover", "cover"},
	{"-gcflags=all=-N -l", "not optimized"},
	{"-trimpath -gcflags=all=-l", "not inlined, -trimpath"},
}

// parseBuild finds a build among the elements of a test's name.
func parseBuild(name string) (build, bool) {
	_, rest, ok := strings.Cut(name, "/go1.")
	if !ok {
		return build{}, false
	}
	// A module's path has slashes, too; what is behind it is a test of its own.
	words := strings.Split("1."+rest, "_")
	b := build{modules: map[string]string{}}
	b.goes, _, _ = strings.Cut(words[0], "/")
	var flags []string
	for _, word := range words[1:] {
		path, version, isModule := strings.Cut(word, "@")
		switch {
		case isModule:
			version, _, _ = strings.Cut(version, "/")
			b.modules[path] = version
		case word == "-tags=newclient": // how the program is written
		case len(b.modules) == 0:
			if !strings.HasPrefix(word, "-") {
				word, _, _ = strings.Cut(word, "/")
			}
			flags = append(flags, word)
		}
	}
	b.shape = strings.Join(flags, " ")
	for _, shape := range shapes {
		if shape.flags == b.shape {
			b.shape = shape.words
			return b, true
		}
	}
	return b, true
}

// parsePair says in words which programs the element of a test's name names, or two of them with
// " to " between: "go1.27.4 stripped m 1.2.3". "": none.
func parsePair(element string) string {
	var programs []string
	for _, one := range strings.Split(element, "_to_") {
		text := parseProgram(one)
		if text == "" {
			return ""
		}
		programs = append(programs, text)
	}
	return strings.Join(programs, " → ")
}

// parseProgram says in words which build of a program is named, with the version of a library.
func parseProgram(name string) string {
	for _, s := range supports() {
		compiled, version, ok := strings.Cut(name, "_"+s.Short+"_")
		b, isBuild := parseBuild("/" + compiled)
		if s.Short == "" || !ok || !isBuild {
			continue
		}
		text := "Go " + b.goes + ", " + s.Label + " v" + version
		if b.shape != shapes[0].words {
			text += ", " + b.shape
		}
		return text
	}
	return ""
}

// compareShapes sorts by the order of the columns; shapes without words come last.
func compareShapes(x, y string) int {
	place := func(words string) int {
		for i, shape := range shapes {
			if shape.words == words {
				return i
			}
		}
		return len(shapes)
	}
	return cmp.Or(cmp.Compare(place(x), place(y)), cmp.Compare(x, y))
}

// compareVersions compares "1.26.8" with "1.9.10", and "v0.17.0".
func compareVersions(x, y string) int {
	numbers := func(version string) []int {
		var all []int
		for _, part := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
			n, _ := strconv.Atoi(part) // it consists of digits; one that is too long sorts last
			all = append(all, n)
		}
		return all
	}
	return cmp.Or(slices.Compare(numbers(x), numbers(y)), cmp.Compare(x, y))
}
