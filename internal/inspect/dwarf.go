package inspect

import (
	"bufio"
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
	maxRatio      = 64 // of what is compressed: Go's debug information takes about 3
	maxUnits      = 1 << 16
	maxValues     = 64 << 20 // attributes and entries that are read: their values may take no bytes
	maxMembers    = 4096     // of one struct
	maxPointers   = 1 << 20
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
func (f *File) FieldOffset(
	field model.Field, wanted map[string]bool,
) (offset uint64, exists bool, err error) {
	defer guard(&err)
	if f.layouts == nil {
		// Kept even if what follows panics: it would panic again.
		f.layouts = &layouts{
			structs: map[string]map[string]uint64{},
			err:     errors.New("malformed debug information"),
		}
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
// (Go 1.17 to 1.27). The units before it are skipped unread.
func (f *File) readLayouts(structs map[string]map[string]uint64, wanted map[string]bool) error {
	return f.eachUnit(unitWithTypes, func(d *debugInfo) (more bool, err error) {
		err = d.findStructs(structs, wanted, f.plain)
		// there is one such unit, and what follows need not be decompressed
		return len(structs) == 0, err
	})
}

// eachUnit visits the units of a package, until visit returns false.
func (f *File) eachUnit(name string, visit func(*debugInfo) (more bool, err error)) error {
	info, abbrev, err := f.debugSections()
	if err != nil {
		return err
	}
	d := &debugInfo{
		reader:  bufio.NewReaderSize(io.LimitReader(info, maxDebugInfo), 64<<10),
		abbrevs: abbrev,
	}
	for range maxUnits {
		more, err := d.nextUnit()
		if more && err == nil && d.unitName == name {
			more, err = visit(d)
		}
		if err != nil {
			return fmt.Errorf("read the debug information: %w", err)
		}
		if !more {
			return nil
		}
	}
	return fmt.Errorf("%w: debug information of more than %d packages", ErrUnsupported, maxUnits)
}

// debugSections opens the two sections that describe types. The sections may be
// compressed; their contents are decompressed as they are read.
func (f *File) debugSections() (info io.Reader, abbrevs []byte, err error) {
	info, err = f.debugSection("info", maxDebugInfo)
	if err != nil {
		return nil, nil, err
	}
	abbrev, err := f.debugSection("abbrev", maxAbbrev)
	if err != nil {
		return nil, nil, err
	}
	if abbrevs, err = io.ReadAll(abbrev); err != nil {
		return nil, nil, fmt.Errorf("read the debug information: %w", err)
	}
	return info, abbrevs, nil
}

// debugSection opens one section, which may be compressed as ELF has it or, up to
// Go 1.18, in the older way that its name tells. It reads up to the size that the
// section's header tells.
func (f *File) debugSection(name string, most uint64) (io.Reader, error) {
	s := f.section(".debug_"+name, ".zdebug_"+name)
	if s == nil {
		return nil, errors.New("the binary has no debug information")
	}
	contents := s.Open() // which makes Size that of what was compressed in the older way
	if s.Size > most || s.Size > s.FileSize && s.Size/maxRatio > s.FileSize {
		return nil, fmt.Errorf(
			"%w: %d bytes of debug information in a section of %d", ErrUnsupported, s.Size,
			s.FileSize,
		)
	}
	return io.LimitReader(contents, int64(s.Size)), nil
}

// reference is a member of a wanted struct, and the entry of its type.
type reference struct {
	members map[string]uint64
	name    string
	to      uint64
}

// findStructs walks the rest of the current unit and notes the wanted structs
// and where their members are; those that are pointers also as "*name". plain takes vendor folders
// off names.
func (d *debugInfo) findStructs(
	structs map[string]map[string]uint64, wanted map[string]bool, plain func(string) string,
) error {
	depth := 1
	var members map[string]uint64 // of the struct that is being read, if it is wanted
	var references []reference
	pointers := map[uint64]bool{} // entries that describe one
	for depth > 0 && d.left > 0 {
		e, err := d.nextEntry()
		if err != nil {
			return err
		}
		if d.values > maxValues || len(pointers) > maxPointers {
			return fmt.Errorf(
				"%w: debug information of more than %d values, or %d types of pointers",
				ErrUnsupported, maxValues, maxPointers,
			)
		}
		if e.tag == 0 { // the end of a list of children
			depth--
			continue
		}
		switch {
		case depth == 1:
			members = nil
			if e.tag == tagPointerType {
				pointers[e.at] = true
			}
			if e.tag != tagStructType {
				break
			}
			if name := plain(e.name); wanted[name] && structs[name] == nil {
				members = map[string]uint64{}
				structs[name] = members
			}
		case depth == 2 && members != nil && e.tag == tagMember:
			if e.location < 0 || len(members) >= maxMembers {
				return fmt.Errorf("member %.80q has no place", e.name)
			}
			if _, twice := members[e.name]; !twice {
				references = append(references, reference{members, e.name, e.refers})
			}
			members[e.name] = uint64(e.location)
		}
		if e.children {
			depth++
		}
	}
	for _, r := range references {
		if pointers[r.to] {
			r.members["*"+r.name] = r.members[r.name]
		}
	}
	return nil
}
