// Package offsets knows where the fields of structs are in released versions of
// Go and of instrumented modules. Its table is made from their sources by
// offsets/cmd/offsetgen.
package offsets

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spanprobe/spanprobe/internal/model"
)

//go:generate go run ./cmd/offsetgen -o table.txt

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
	since   version
	offsets map[model.Arch]uint64 // nil: there is no such field
}

// Default returns the table that comes with spanprobe.
var Default = sync.OnceValue(func() *Table {
	t, err := Parse(strings.NewReader(embedded))
	if err != nil {
		panic(fmt.Sprintf("the embedded offset table: %v", err)) // a test parses it
	}
	return t
})

// Lookup says where a field is, in bytes. known is false for a version that was
// not examined, unless it lies between two examined patch releases of the same
// minor that agree: an offset that was never seen is not handed out, however
// likely it is. exists is false for a version that has no such field.
func (t *Table) Lookup(modulePath, v string, arch model.Arch, field model.Field) (offset uint64, exists, known bool) {
	m := t.modules[modulePath]
	if m == nil {
		return 0, false, false
	}
	changes := m.fields[field.String()]
	asked, err := parseVersion(v)
	if err != nil || changes == nil {
		return 0, false, false
	}
	at, examined := slices.BinarySearchFunc(m.examined, asked, version.compare)
	var before, after version
	switch {
	case examined:
		before, after = asked, asked
	case at == 0 || at == len(m.examined):
		return 0, false, false
	default:
		before, after = m.examined[at-1], m.examined[at]
		if !before.sameMinor(asked) || !after.sameMinor(asked) {
			return 0, false, false
		}
	}
	i, j := inForce(changes, before), inForce(changes, after)
	if i < 0 || i != j {
		return 0, false, false
	}
	offset, exists = changes[i].offsets[arch]
	if !exists && changes[i].offsets != nil {
		return 0, false, false // known for other architectures only
	}
	return offset, exists, true
}

// inForce is the index of the last change up to a version, or -1.
func inForce(changes []change, v version) int {
	i, found := slices.BinarySearchFunc(changes, v, func(c change, v version) int { return c.since.compare(v) })
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
	return m.examined[len(m.examined)-1].String()
}

// Parse reads a table. Its lines, in order:
//
//	made 2026-11-23
//	module std
//	examined 1.21.0 1.21.6 …       (any number of such lines, versions ascending)
//	net/http.response.status       (a field)
//	  1.21.0 120                   (since this version; for all architectures)
//	  1.27.0 amd64=128 arm64=128   (or one by one)
//	  1.28.0 -                     (no such field any more)
//
// Lines that begin with # are comments.
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
	return p.table, lines.Err()
}

type parser struct {
	table  *Table
	module *module
	field  string
}

func (p *parser) line(line string) error {
	words := strings.Fields(line)
	switch {
	case words[0] == "made" && len(words) == 2:
		p.table.Made = words[1]
	case words[0] == "module" && len(words) == 2:
		p.module, p.field = &module{fields: map[string][]change{}}, ""
		p.table.modules[words[1]] = p.module
	case p.module == nil:
		return errors.New("no module yet")
	case words[0] == "examined":
		return p.examined(words[1:])
	case line[0] != ' ' && len(words) == 1:
		p.field = words[0]
	case p.field == "":
		return errors.New("no field yet")
	default:
		return p.change(words)
	}
	return nil
}

func (p *parser) examined(words []string) error {
	for _, word := range words {
		v, err := parseVersion(word)
		if err != nil {
			return err
		}
		if n := len(p.module.examined); n > 0 && p.module.examined[n-1].compare(v) >= 0 {
			return fmt.Errorf("version %s is out of order", word)
		}
		p.module.examined = append(p.module.examined, v)
	}
	return nil
}

func (p *parser) change(words []string) error {
	since, err := parseVersion(words[0])
	if err != nil {
		return err
	}
	changes := p.module.fields[p.field]
	if n := len(changes); n > 0 && changes[n-1].since.compare(since) >= 0 {
		return fmt.Errorf("version %s is out of order", words[0])
	}
	c := change{since: since}
	if len(words) == 2 && words[1] == "-" {
		p.module.fields[p.field] = append(changes, c)
		return nil
	}
	c.offsets = map[model.Arch]uint64{}
	for _, word := range words[1:] {
		arch, number, one := strings.Cut(word, "=")
		if !one {
			number = word
		}
		offset, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return fmt.Errorf("offset %q: %w", number, err)
		}
		if one {
			c.offsets[model.Arch(arch)] = offset
		} else {
			c.offsets[model.AMD64], c.offsets[model.ARM64] = offset, offset
		}
	}
	if len(c.offsets) == 0 {
		return errors.New("a version without an offset")
	}
	p.module.fields[p.field] = append(changes, c)
	return nil
}
