// Package offsets knows where the fields of structs are in released versions of
// Go and of instrumented modules. Its table is made from their sources by
// offsets/cmd/offsetgen.
package offsets

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spanprobe/spanprobe/internal/model"
)

//go:generate go run ./cmd/offsetgen -check -o table.txt

//go:embed table.txt
var embedded string

// Table holds the offsets of fields as ranges of versions. It does not change
// and may be used concurrently.
type Table struct {
	Made    string // the day it was made, YYYY-MM-DD
	modules map[string]*module
}

// module is one module's part of the table.
type module struct {
	examined []version // sorted
	fields   map[string][]change
}

// change says where a field is from a version on.
type change struct {
	since  version
	places map[model.Arch]place // an architecture that is not in it was not examined
}

type place struct {
	offset uint64 // bytes
	exists bool
}

// Default returns the table that comes with spanprobe.
var Default = sync.OnceValue(func() *Table {
	t, err := Parse(strings.NewReader(embedded))
	if err != nil {
		panic(fmt.Sprintf("the embedded offset table: %v", err)) // a test parses it
	}
	return t
})

// Lookup says where a field is, in bytes. exists is false for a version that has
// no such field. known is false for a version that was not examined, unless it
// lies between two examined patch releases of the same minor that agree, or
// between two examined commits that agree of a module without releases yet: an
// offset that was never seen is not handed out, however likely it is. Patch
// releases beyond the last that was examined do move fields: Go 1.26.11 did.
func (t *Table) Lookup(
	modulePath, v string, arch model.Arch, field model.Field,
) (offset uint64, exists, known bool) {
	m := t.modules[modulePath]
	if m == nil {
		return 0, false, false
	}
	changes := m.fields[field.String()]
	asked, err := parseVersion(v)
	if err != nil || changes == nil {
		return 0, false, false
	}
	next, examined := slices.BinarySearchFunc(m.examined, asked, version.compare)
	var before, after version
	switch {
	case examined:
		before, after = asked, asked
	case next == 0 || next == len(m.examined):
		return 0, false, false
	default:
		before, after = m.examined[next-1], m.examined[next]
		if !before.sameMinor(asked) || !after.sameMinor(asked) {
			return 0, false, false
		}
	}
	i, j := inForce(changes, before), inForce(changes, after)
	if i < 0 || i != j {
		return 0, false, false
	}
	place, known := changes[i].places[arch]
	return place.offset, place.exists, known
}

// Candidates says where a field is if all versions of a module say the same that
// have everything that is present: fields, or functions of the module. agreed is
// false if they do not, or if there is no such version; and, of a module whose versions
// are told apart by functions, if the newest that was examined is among them: it may
// then as well be a newer one.
func (t *Table) Candidates(
	modulePath string, arch model.Arch, field model.Field, present []model.Field,
) (offset uint64, exists, agreed bool) {
	m := t.modules[modulePath]
	if m == nil {
		return 0, false, false
	}
	var first place
	for i, v := range m.examined {
		fits := !slices.ContainsFunc(present, func(p model.Field) bool {
			there, known := m.at(p, v, arch)
			return known && !there.exists
		})
		if !fits {
			continue
		}
		at, known := m.at(field, v, arch)
		if !known || agreed && at != first || m.marked() && i == len(m.examined)-1 {
			return 0, false, false
		}
		first, agreed = at, true
	}
	return first.offset, first.exists, agreed
}

// marked tells whether the table has functions of the module.
func (m *module) marked() bool {
	for name := range m.fields {
		if strings.HasSuffix(name, "()") {
			return true
		}
	}
	return false
}

// at is where a field is in an examined version.
func (m *module) at(field model.Field, v version, arch model.Arch) (at place, known bool) {
	changes := m.fields[field.String()]
	i := inForce(changes, v)
	if i < 0 {
		return place{}, false
	}
	at, known = changes[i].places[arch]
	return at, known
}

// inForce is the index of the last change up to a version, or -1.
func inForce(changes []change, v version) int {
	i, found := slices.BinarySearchFunc(
		changes, v, func(c change, v version) int { return c.since.compare(v) },
	)
	if !found {
		i--
	}
	return i
}

// Newest is the newest version of a module that the table covers.
func (t *Table) Newest(modulePath string) string {
	m := t.modules[modulePath]
	if m == nil || len(m.examined) == 0 {
		return ""
	}
	return string(m.examined[len(m.examined)-1])
}

// Extent is how far the table goes: the newest version of a module that it covers, ""
// if it covers none, and the day on which it was made.
func (t *Table) Extent(modulePath string) (newest, made string) {
	return t.Newest(modulePath), t.Made
}

// Parse reads a table. Its lines, in order:
//
//	made 2026-11-23
//	module std
//	examined 1.21.0 1.21.6 …       (any number of such lines, versions ascending)
//	net/url.URL.RawQuery           (a field)
//	  1.21.0 120                   (since this version; for all architectures)
//	  1.27.0 amd64=128 arm64=128   (or one by one)
//	  1.28.0 amd64=128 arm64=-     (no such field on one of them any more)
//	  1.29.0 -                     (nor on any)
//	module example.com/m           (the next module)
//	examined v0.0.0-20210405180319-a5a99cb37ef4 v0.1.0
//
// Lines that begin with # are comments. A field changes only at versions that
// were examined.
func Parse(r io.Reader) (*Table, error) {
	p := parser{table: &Table{modules: map[string]*module{}}}
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return p.table, nil
}
