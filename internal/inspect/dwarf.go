package inspect

import (
	"debug/dwarf"
	"errors"
	"fmt"

	"github.com/spanprobe/spanprobe/internal/model"
)

// maxDWARF bounds the debug information that is read, in bytes; debug/dwarf
// holds all of it in memory.
const maxDWARF = 512 << 20

// layouts holds the structs of the debug information, as far as it was read.
type layouts struct {
	data    *dwarf.Data
	err     error
	offsets map[string]dwarf.Offset // of the wanted structs, by qualified name
}

// FieldOffset looks a field up in the debug information. exists is false when
// the struct is described and has no such field. wanted names all structs that
// will be asked for, "package.Struct", so that one pass finds them.
func (f *File) FieldOffset(field model.Field, wanted map[string]bool) (offset uint64, exists bool, err error) {
	defer guard(&err)
	if f.layouts == nil {
		f.layouts = f.readLayouts(wanted)
	}
	if f.layouts.err != nil {
		return 0, false, f.layouts.err
	}
	name := field.Package + "." + field.Struct
	at, ok := f.layouts.offsets[name]
	if !ok {
		return 0, false, fmt.Errorf("the debug information does not describe %s", name)
	}
	kind, err := f.layouts.data.Type(at)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", name, err)
	}
	described, ok := kind.(*dwarf.StructType)
	if !ok {
		return 0, false, fmt.Errorf("%s is not a struct", name)
	}
	for _, member := range described.Field {
		if member.Name == field.Field {
			if member.ByteOffset < 0 {
				return 0, false, fmt.Errorf("%s lies before its struct", field)
			}
			return uint64(member.ByteOffset), true, nil
		}
	}
	return 0, false, nil
}

func (f *File) readLayouts(wanted map[string]bool) *layouts {
	l := &layouts{offsets: map[string]dwarf.Offset{}}
	if l.err = f.checkDWARF(); l.err != nil {
		return l
	}
	if l.data, l.err = f.elf.DWARF(); l.err != nil {
		l.err = fmt.Errorf("read the debug information: %w", l.err)
		return l
	}
	reader := l.data.Reader()
	for len(l.offsets) < len(wanted) {
		entry, err := reader.Next()
		if err != nil {
			l.err = fmt.Errorf("read the debug information: %w", err)
			return l
		}
		if entry == nil {
			return l
		}
		switch entry.Tag {
		case dwarf.TagCompileUnit:
			continue
		case dwarf.TagStructType:
			if name, ok := entry.Val(dwarf.AttrName).(string); ok && wanted[name] {
				l.offsets[name] = entry.Offset
			}
		}
		reader.SkipChildren()
	}
	return l
}

// checkDWARF refuses debug information whose uncompressed size is out of bounds.
func (f *File) checkDWARF() error {
	total := uint64(0)
	found := false
	for _, s := range f.elf.Sections {
		switch s.Name {
		case ".zdebug_info": // up to Go 1.18; its size is another number to be believed
			return fmt.Errorf("%w: debug information compressed in the old way", ErrUnsupported)
		case ".debug_info":
			found = true
			fallthrough
		case ".debug_abbrev", ".debug_line", ".debug_str", ".debug_addr", ".debug_ranges", ".debug_rnglists", ".debug_loclists", ".debug_loc":
			if s.Size > maxDWARF {
				return fmt.Errorf("%w: %d bytes of %s", ErrUnsupported, s.Size, s.Name)
			}
			total += s.Size
		}
	}
	if !found {
		return errors.New("no debug information")
	}
	if total > maxDWARF {
		return fmt.Errorf("%w: %d bytes of debug information", ErrUnsupported, total)
	}
	return nil
}
