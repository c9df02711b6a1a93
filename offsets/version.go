package offsets

import (
	"cmp"
	"fmt"
	goversion "go/version"
	"slices"
	"strings"

	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// version is a release: "1.26.8" of Go, "v1.26.8" of a module; or a commit that the go command
// numbered before the module had releases: "v0.0.0-20210405180319-a5a99cb37ef4". Pre-releases and
// versions with suffixes of anybody's own are none: their sources are not known.
type version string

func parseVersion(s string) (version, error) {
	v := version(s)
	if v.ofGo() && isGoRelease(s) || !v.ofGo() && isModuleRelease(s) {
		return v, nil
	}
	return "", fmt.Errorf("%q is not the version of a release", s)
}

// isGoRelease tells whether a version of Go has nothing but numbers.
func isGoRelease(s string) bool {
	other := func(r rune) bool { return r != '.' && (r < '0' || r > '9') }
	return goversion.IsValid("go"+s) && strings.Contains(s, ".") && !strings.ContainsFunc(s, other)
}

// isModuleRelease tells whether a version of a module is a release, or a commit before the first
// one.
func isModuleRelease(s string) bool {
	switch {
	case semver.Canonical(s) != s: // it lacks a number, or was built by somebody else
		return false
	case semver.Prerelease(s) == "":
		return true
	}
	base, err := gomodule.PseudoVersionBase(s)
	return err == nil && base == "" && strings.HasPrefix(s, "v0.0.0-")
}

func (v version) ofGo() bool { return !strings.HasPrefix(string(v), "v") }

// compare orders versions as the go command does, those of Go before those of modules.
func (v version) compare(other version) int {
	switch {
	case v.ofGo() && other.ofGo():
		return goversion.Compare("go"+string(v), "go"+string(other))
	case v.ofGo() != other.ofGo():
		return cmp.Compare(v[:1], other[:1]) // a digit and a "v"
	}
	return semver.Compare(string(v), string(other))
}

func (v version) sameMinor(other version) bool {
	if v.ofGo() {
		return goversion.Lang("go"+string(v)) == goversion.Lang("go"+string(other))
	}
	return semver.MajorMinor(string(v)) == semver.MajorMinor(string(other))
}

// Releases picks from a list of versions those that a table can hold, from the oldest on: each
// once, and ascending.
func Releases(versions []string, oldest string) ([]string, error) {
	from, err := parseVersion(oldest)
	if err != nil {
		return nil, err
	}
	var picked []version
	for _, text := range versions {
		if v, err := parseVersion(text); err == nil && v.compare(from) >= 0 {
			picked = append(picked, v)
		}
	}
	slices.SortStableFunc(picked, version.compare)
	var names []string
	for i, v := range picked {
		if i == 0 || v.compare(picked[i-1]) != 0 {
			names = append(names, string(v))
		}
	}
	return names, nil
}
