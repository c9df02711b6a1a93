package offsets

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// version is a release: "1.26.8" of Go, "v1.26.8" of a module; or a commit that
// the go command numbered before the module had releases:
// "v0.0.0-20210405180319-a5a99cb37ef4". Pre-releases and versions with suffixes
// of anybody's own are none: their sources are not known.
type version struct {
	major, minor, patch int
	prefix              string // "v" or ""
	commit              string // "20210405180319-a5a99cb37ef4", or "" for a release
}

// unreleased is what is behind v0.0.0- for a commit: its time, and its hash.
var unreleased = regexp.MustCompile(`^[0-9]{14}-[0-9a-f]{12}$`)

func parseVersion(s string) (version, error) {
	v := version{}
	rest, ok := strings.CutPrefix(s, "v")
	if ok {
		v.prefix = "v"
	}
	if commit, found := strings.CutPrefix(s, "v0.0.0-"); found && unreleased.MatchString(commit) {
		v.commit = commit
		return v, nil
	}
	parts := strings.Split(rest, ".")
	// Up to Go 1.20 the first release of a minor has no patch number.
	if len(parts) == 2 && !ok {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return version{}, fmt.Errorf("%q is not the version of a release", s)
	}
	for i, number := range []*int{&v.major, &v.minor, &v.patch} {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil || len(parts[i]) > 1 && parts[i][0] == '0' {
			return version{}, fmt.Errorf("%q is not the version of a release", s)
		}
		*number = int(n)
	}
	return v, nil
}

func (v version) String() string {
	text := fmt.Sprintf("%s%d.%d.%d", v.prefix, v.major, v.minor, v.patch)
	if v.commit != "" {
		text += "-" + v.commit
	}
	return text
}

// compare orders versions as the go command does.
func (v version) compare(other version) int {
	return cmp.Or(
		cmp.Compare(v.prefix, other.prefix),
		cmp.Compare(v.major, other.major), cmp.Compare(v.minor, other.minor), cmp.Compare(v.patch, other.patch),
		compareCommits(v.commit, other.commit))
}

// compareCommits orders commits by their time, with which they begin, and puts
// them before the release that has their numbers.
func compareCommits(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	default:
		return strings.Compare(a, b)
	}
}

func (v version) sameMinor(other version) bool {
	return v.major == other.major && v.minor == other.minor
}

// Releases picks from a list of versions those that a table can hold, from the
// oldest on: each once, and ascending.
func Releases(versions []string, oldest string) ([]string, error) {
	from, err := parseVersion(oldest)
	if err != nil {
		return nil, err
	}
	picked := map[version]string{}
	for _, text := range versions {
		if v, err := parseVersion(text); err == nil && v.compare(from) >= 0 {
			picked[v] = text
		}
	}
	var names []string
	for _, v := range slices.SortedFunc(maps.Keys(picked), version.compare) {
		names = append(names, picked[v])
	}
	return names, nil
}
