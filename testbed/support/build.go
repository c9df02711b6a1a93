package main

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/probe"
)

// build is how a program was compiled, as the name of a test tells: its elements are written by
// testbed/harness/target, and have underscores for spaces.
type build struct {
	goes    string // "1.26.8"
	shape   string // the flags in words
	modules map[string]string
}

// shape is what the flags of a build are called.
type shape struct{ flags, words string }

// shapes are in the order of the page's columns.
var shapes = []shape{
	{"", "plain"},
	{"stripped", "stripped"},
	{"-buildmode=pie", "PIE"},
	{"-buildmode=pie stripped", "PIE, stripped"},
	{"-ldflags=-linkmode external", "linked externally"},
	{"-buildmode=pie -tags=netgo,osusergo" +
		" -ldflags=-linkmode external -extldflags -static-pie", "static PIE"},
	{"-ldflags=-s -w -linkmode external -extldflags -static-pie" +
		" -buildmode=pie -tags=netgo,osusergo", "static PIE"},
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
	// A module's path has slashes, too. Another test's name may follow the last element.
	words := strings.Split("1."+rest, "_")
	b := build{modules: map[string]string{}}
	b.goes, _, _ = strings.Cut(words[0], "/")
	var flags []string
	for _, word := range words[1:] {
		path, version, isModule := strings.Cut(word, "@")
		switch {
		case isModule:
			b.modules[path], _, _ = strings.Cut(version, "/")
		case word == "-tags=newclient": // it says how the program is written
		case len(b.modules) == 0:
			if !strings.HasPrefix(word, "-") {
				word, _, _ = strings.Cut(word, "/")
			}
			flags = append(flags, word)
		}
	}
	b.shape = strings.Join(flags, " ")
	if i := slices.IndexFunc(shapes, func(s shape) bool { return s.flags == b.shape }); i >= 0 {
		b.shape = shapes[i].words
	}
	return b, true
}

// parsePair says in words which programs an element of a test's name is about. The element is
// "go1.27.4 stripped m 1.2.3", or two of them with " to " between. Other elements give "".
func parsePair(element string, libraries []probe.Support) string {
	var programs []string
	for one := range strings.SplitSeq(element, "_to_") {
		text := parseProgram(one, libraries)
		if text == "" {
			return ""
		}
		programs = append(programs, text)
	}
	return strings.Join(programs, " → ")
}

// parseProgram says in words which program is named, by its build and its version of a library.
func parseProgram(name string, libraries []probe.Support) string {
	for _, s := range libraries {
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

// compareShapes sorts by the order of the columns. Shapes without words come last.
func compareShapes(x, y string) int {
	place := func(words string) uint { // the largest number if there are no such words
		return uint(slices.IndexFunc(shapes, func(s shape) bool { return s.words == words }))
	}
	return cmp.Or(cmp.Compare(place(x), place(y)), cmp.Compare(x, y))
}

var number = regexp.MustCompile(`[0-9]+`)

// compareVersions compares "1.26.8" with "1.9.10", or "v0.17.0, Go 1.26.8". Names without numbers
// come last.
func compareVersions(x, y string) int {
	numbers := func(text string) []int {
		all := []int{math.MaxInt}
		for i, digits := range number.FindAllString(text, -1) {
			n, _ := strconv.Atoi(digits) // a number that is too long becomes the largest one
			all = append(all[:i], n)
		}
		return all
	}
	return cmp.Or(slices.Compare(numbers(x), numbers(y)), cmp.Compare(x, y))
}
