package inspect

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Debug information is read as a stream, by a parser of our own: debug/dwarf
// holds all of it in memory, twice when it is compressed, and its types are read
// by a recursion that a hostile file can drive until the stack ends, which no
// recover catches.

// Bounds on the debug information, in bytes.
const (
	maxDebugInfo  = 1 << 30
	maxAbbrev     = 4 << 20
	maxUnits      = 1 << 16
	maxMembers    = 4096 // of one struct
	unitWithTypes = "runtime"
)

// ErrNotDescribed says that the debug information has no such struct.
var ErrNotDescribed = errors.New("not in the debug information")

// layouts holds the wanted structs of the debug information.
type layouts struct {
	structs map[string]map[string]uint64 // offsets by "package.Struct" and field
	err     error                        // why there are none, or not all
}

// FieldOffset looks a field up in the debug information. exists is false when
// the struct is described and has no such field. wanted names all structs that
// will be asked for, "package.Struct", so that one pass finds them.
func (f *File) FieldOffset(field model.Field, wanted map[string]bool) (offset uint64, exists bool, err error) {
	defer guard(&err)
	if f.layouts == nil {
		// Kept even if what follows panics: it would panic again.
		f.layouts = &layouts{structs: map[string]map[string]uint64{}, err: errors.New("malformed debug information")}
		f.layouts.err = f.readLayouts(f.layouts.structs, wanted)
	}
	name := field.Package + "." + field.Struct
	if members, ok := f.layouts.structs[name]; ok {
		offset, exists = members[field.Field]
		return offset, exists, nil
	}
	if f.layouts.err != nil {
		return 0, false, f.layouts.err
	}
	return 0, false, fmt.Errorf("%s: %w", name, ErrNotDescribed)
}

// readLayouts finds the wanted structs. Go's linker puts all types into the unit
// of package runtime: src/cmd/link/internal/ld/dwarf.go, dwarfGenerateDebugInfo
// (Go 1.21 to 1.27). The other units are skipped unread.
func (f *File) readLayouts(structs map[string]map[string]uint64, wanted map[string]bool) error {
	info, abbrev, err := f.debugSections()
	if err != nil {
		return err
	}
	d := &debugInfo{reader: bufio.NewReaderSize(io.LimitReader(info, maxDebugInfo), 64<<10), abbrevs: abbrev}
	for range maxUnits {
		more, err := d.nextUnit()
		if err != nil {
			return fmt.Errorf("read the debug information: %w", err)
		}
		if !more {
			return nil
		}
		if d.unitName != unitWithTypes {
			continue
		}
		if err := d.findStructs(structs, wanted); err != nil {
			return fmt.Errorf("read the debug information: %w", err)
		}
	}
	return fmt.Errorf("%w: debug information of more than %d packages", ErrUnsupported, maxUnits)
}

// debugSections opens the two sections that describe types. The sections may be
// compressed; their contents are decompressed as they are read.
func (f *File) debugSections() (info io.Reader, abbrevs []byte, err error) {
	infoSection, abbrevSection := f.section(".debug_info"), f.section(".debug_abbrev")
	switch {
	case f.section(".zdebug_info") != nil: // up to Go 1.18
		return nil, nil, fmt.Errorf("%w: debug information compressed in the old way", ErrUnsupported)
	case infoSection == nil || abbrevSection == nil:
		return nil, nil, errors.New("the binary has no debug information")
	case infoSection.Size > maxDebugInfo || abbrevSection.Size > maxAbbrev:
		return nil, nil, fmt.Errorf("%w: %d bytes of debug information", ErrUnsupported, infoSection.Size)
	}
	if abbrevs, err = io.ReadAll(contents(abbrevSection)); err != nil {
		return nil, nil, fmt.Errorf("read the debug information: %w", err)
	}
	return contents(infoSection), abbrevs, nil
}

// contents reads a section up to the size that its header tells.
func contents(s *elf.Section) io.Reader { return io.LimitReader(s.Open(), int64(s.Size)) }

// findStructs walks the rest of the current unit and notes the wanted structs
// and where their members are.
func (d *debugInfo) findStructs(structs map[string]map[string]uint64, wanted map[string]bool) error {
	depth := 1
	var members map[string]uint64 // of the struct that is being read, if it is wanted
	for depth > 0 && d.left > 0 {
		e, err := d.nextEntry()
		if err != nil {
			return err
		}
		if e.tag == 0 { // the end of a list of children
			depth--
			continue
		}
		switch {
		case depth == 1:
			members = nil
			if e.tag == tagStructType && wanted[e.name] && structs[e.name] == nil {
				members = map[string]uint64{}
				structs[e.name] = members
			}
		case depth == 2 && members != nil && e.tag == tagMember:
			if e.location < 0 || len(members) >= maxMembers {
				return fmt.Errorf("member %q has no place", e.name)
			}
			members[e.name] = uint64(e.location)
		}
		if e.children {
			depth++
		}
	}
	return nil
}
