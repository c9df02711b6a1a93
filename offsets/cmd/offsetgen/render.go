package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// release is one version and what was found in it.
type release struct {
	version string
	layout  layout
}

// versionsPerLine keeps lists of versions readable.
const versionsPerLine = 12

// render writes a module's part of the table, from releases in ascending order,
// in the format of offsets.Parse; comments say of which releases there are no
// sources. A field that no release has, or whose kind is not the same in all of them,
// is an error: the programs would read something else.
func render(
	module string, releases []release, missing []string, wanted []model.Field,
) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, "module", module)
	var examined []string
	for _, r := range releases {
		examined = append(examined, r.version)
	}
	writeVersions(&b, "examined", examined)
	writeVersions(&b, "# not to be had:", missing)
	writeVersions(&b, "# not listed by the proxy:", gaps(slices.Concat(examined, missing)))
	var errs []error
	for _, field := range wanted {
		name := field.String()
		fmt.Fprintln(&b, name)
		last := ""
		for _, r := range releases {
			if line := describe(r.layout[name]); line != last {
				fmt.Fprintf(&b, "  %s %s\n", r.version, line)
				last = line
			}
		}
		errs = append(errs, sameKind(module, releases, name, hasPointerTwin(field, wanted)))
	}
	return b.Bytes(), errors.Join(errs...)
}

func writeVersions(b *bytes.Buffer, what string, versions []string) {
	for line := range slices.Chunk(versions, versionsPerLine) {
		fmt.Fprintln(b, what, strings.Join(line, " "))
	}
}

// gaps are the versions that are not among some whose numbers go on: what is between
// two patch releases, and the first of each minor. A proxy may not list them; or they
// were never released, or taken back.
func gaps(versions []string) []string {
	newest := map[[2]int]int{} // patch release of each minor
	there := map[[3]int]bool{}
	prefix := ""
	for _, version := range versions {
		numbers, isRelease := numbersOf(version)
		if !isRelease {
			continue
		}
		if strings.HasPrefix(version, "v") {
			prefix = "v" // all of a module, none of Go
		}
		there[numbers] = true
		minor := [2]int(numbers[:2])
		newest[minor] = max(newest[minor], numbers[2])
	}
	var missing []string
	ascending := func(a, b [2]int) int { return slices.Compare(a[:], b[:]) }
	for _, minor := range slices.SortedFunc(maps.Keys(newest), ascending) {
		for patch := range newest[minor] {
			if !there[[3]int{minor[0], minor[1], patch}] {
				missing = append(missing,
					fmt.Sprintf("%s%d.%d.%d", prefix, minor[0], minor[1], patch))
			}
		}
	}
	return missing
}

// numbersOf are those of a release, of which commits have none.
func numbersOf(version string) (numbers [3]int, isRelease bool) {
	if strings.Contains(version, "-") {
		return numbers, false
	}
	version = strings.TrimPrefix(version, "v")
	for i := range numbers {
		numbers[i] = max(number(version, i), 0) // Go 1.20 was the last whose first releases had two
	}
	return numbers, true
}

// hasPointerTwin tells whether it is asked for apart whether a field is a pointer:
// then its readers know both.
func hasPointerTwin(field model.Field, wanted []model.Field) bool {
	field.Field = "*" + field.Field
	return slices.Contains(wanted, field)
}

// sameKind fails unless a field is of one kind wherever it exists, and exists
// somewhere. A field of any kind need only exist.
func sameKind(module string, releases []release, name string, anyKind bool) error {
	kind := ""
	for _, r := range releases {
		for _, arch := range architectures {
			at := r.layout[name][arch]
			if at.Exists && kind != "" && !anyKind && asRead(at.Kind) != asRead(kind) {
				return fmt.Errorf("%s was a %s and is a %s in %s on %s: its readers must know "+
					"both, unless it is only renamed (kind.go)",
					name, kind, at.Kind, nameOf(module, r.version), arch)
			}
			if at.Exists {
				kind = at.Kind
			}
		}
	}
	if kind == "" {
		return fmt.Errorf("%s is in none of the releases: is its name right?", name)
	}
	return nil
}

// describe writes where a field is in one release.
func describe(places map[model.Arch]place) string {
	amd64, arm64 := places[model.AMD64].String(), places[model.ARM64].String()
	if amd64 == arm64 {
		return amd64
	}
	return fmt.Sprintf("%s=%s %s=%s", model.AMD64, amd64, model.ARM64, arm64)
}

func (p place) String() string {
	if !p.Exists {
		return "-"
	}
	return fmt.Sprint(p.Offset)
}
