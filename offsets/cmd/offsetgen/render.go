package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/spanprobe/spanprobe/internal/model"
)

// release is one version and what was found in it.
type release struct {
	version string
	layout  layout
}

// versionsPerLine keeps the list of examined versions readable.
const versionsPerLine = 12

// render writes a module's part of the table, from releases in ascending order,
// in the format of offsets.Parse. A field that no release has, or whose kind is
// not the same in all of them, is an error: the programs would read something
// else.
func render(module string, releases []release, wanted []model.Field) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, "module", module)
	for i, r := range releases {
		if i%versionsPerLine == 0 {
			b.WriteString("examined")
		}
		b.WriteString(" " + r.version)
		if i%versionsPerLine == versionsPerLine-1 || i == len(releases)-1 {
			b.WriteByte('\n')
		}
	}
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

// hasPointerTwin tells whether it is asked for apart whether a field is a pointer:
// then its readers know both.
func hasPointerTwin(field model.Field, wanted []model.Field) bool {
	field.Field = "*" + field.Field
	return slices.Contains(wanted, field)
}

// sameKind fails unless a field is of one kind wherever it exists, and exists
// somewhere. One of any kind need only exist.
func sameKind(module string, releases []release, name string, anyKind bool) error {
	kind := ""
	for _, r := range releases {
		for _, arch := range architectures {
			at := r.layout[name][arch]
			if at.Exists && kind != "" && !anyKind && asRead(at.Kind) != asRead(kind) {
				return fmt.Errorf("%s was a %s and is a %s in %s on %s: its readers must know both", name, kind, at.Kind, nameOf(module, r.version), arch)
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

// asRead makes integers of one size equal: a program copies their bytes, and
// runtime.g.goid became a uint64 in Go 1.20 (src/runtime/runtime2.go). Both
// architectures have words of 64 bits.
func asRead(kind string) string {
	switch kind {
	case "int", "int64", "uint", "uint64", "uintptr":
		return "integer of 8 bytes"
	case "int32", "uint32", "rune":
		return "integer of 4 bytes"
	case "int16", "uint16":
		return "integer of 2 bytes"
	case "int8", "uint8", "byte":
		return "integer of 1 byte"
	}
	return kind
}

// disappearances names the fields that a release no longer has. That may be
// right (maps changed in Go 1.24), and somebody must have seen it.
func disappearances(module string, releases []release, wanted []model.Field) []string {
	var gone []string
	for _, field := range wanted {
		name := field.String()
		for i := 1; i < len(releases); i++ {
			for _, arch := range architectures {
				if releases[i-1].layout[name][arch].Exists && !releases[i].layout[name][arch].Exists {
					gone = append(gone, fmt.Sprintf("%s is gone from %s on %s", name, nameOf(module, releases[i].version), arch))
				}
			}
		}
	}
	return gone
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
