package offsets

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// version is a release: "1.26.8" of Go, "v1.26.8" of a module. Pre-releases and
// versions with suffixes of anybody's own are none: their sources are not known.
type version struct {
	major, minor, patch int
	prefix              string // "v" or ""
}

func parseVersion(s string) (version, error) {
	v := version{}
	rest, ok := strings.CutPrefix(s, "v")
	if ok {
		v.prefix = "v"
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
	return fmt.Sprintf("%s%d.%d.%d", v.prefix, v.major, v.minor, v.patch)
}

func (v version) compare(other version) int {
	return cmp.Or(cmp.Compare(v.prefix, other.prefix), cmp.Compare(v.major, other.major), cmp.Compare(v.minor, other.minor), cmp.Compare(v.patch, other.patch))
}

func (v version) sameMinor(other version) bool {
	return v.major == other.major && v.minor == other.minor
}
