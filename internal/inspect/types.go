package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Offsets in the description of a type, internal/abi.Type (up to Go 1.20
// runtime._type), which are the same from Go 1.17 to 1.27.
const (
	typeTFlag    = 20 // tflag
	typeKind     = 23
	typeStr      = 40 // of the name, from moduledata.types
	typeLength   = 48
	typeAligned  = 8
	extraStar    = 1 << 1 // the name has a * in front that is not the type's
	named        = 1 << 2
	kindMask     = 1<<5 - 1
	kindPointer  = 22
	longestShort = 127 // bytes of a name whose length takes one byte
)

// maxTypes bounds how much of the descriptions is searched, in bytes: those of the
// largest programs take some 20 MB.
const maxTypes = 128 << 20

var errNoType = errors.New("the binary does not describe it")

// TypeAddress finds where a named type is described that is no pointer, among the
// descriptions that begin at types (moduledata.types). A name that several have is
// an error.
func (f *File) TypeAddress(types uint64, name string) (address uint64, err error) {
	defer guard(&err)
	if name == "" || len(name) >= longestShort {
		return 0, errors.New("a name of that length is not sought")
	}
	area := f.readOnly(types)
	if area == nil {
		return 0, errors.New("where its types are described is not in the file")
	}
	names, err := findNames(area, name)
	if err != nil {
		return 0, err
	}
	if len(names) == 0 {
		return 0, errNoType
	}
	found, err := findDescriptions(area, names)
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0:
		return 0, errNoType
	case len(found) > 1:
		return 0, fmt.Errorf("%d types are called so", len(found))
	}
	return types + uint64(found[0]), nil
}

// readOnly is the file's part from a virtual address to the end of its segment.
func (f *File) readOnly(address uint64) *io.SectionReader {
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			from := address - p.Vaddr
			return io.NewSectionReader(f.reader, int64(p.Off+from), int64(min(p.Filesz-from, maxTypes)))
		}
	}
	return nil
}

// findNames finds where a name may lie, each with whether it has a star in front.
// Before it are its flags and its length: internal/abi.Name.
func findNames(area *io.SectionReader, name string) (map[uint32]bool, error) {
	names := map[uint32]bool{}
	for _, star := range []bool{false, true} {
		text := name
		if star {
			text = "*" + name
		}
		pattern := append([]byte{byte(len(text))}, text...)
		err := eachMatch(area, pattern, func(at int64) {
			if at > 0 {
				names[uint32(at-1)] = star
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// findDescriptions finds the descriptions of types that have one of the names, as
// distances from the first.
func findDescriptions(area *io.SectionReader, names map[uint32]bool) ([]int64, error) {
	var found []int64
	for at, star := range names {
		pattern := binary.LittleEndian.AppendUint32(nil, at)
		err := eachMatch(area, pattern, func(str int64) {
			start := str - typeStr
			var d [typeLength]byte
			if start < 0 || start%typeAligned != 0 {
				return
			}
			if _, err := area.ReadAt(d[:], start); err != nil {
				return // too near the end to be one
			}
			kind := d[typeKind] & kindMask
			if d[typeTFlag]&named != 0 && d[typeTFlag]&extraStar != 0 == star && kind != 0 && kind != kindPointer {
				found = append(found, start)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// maxMatches bounds what is looked at closer.
const maxMatches = 4096

// eachMatch visits where a pattern lies in an area, also across the borders of
// what is read at once.
func eachMatch(area *io.SectionReader, pattern []byte, visit func(at int64)) error {
	buffer := make([]byte, 256<<10)
	matches := 0
	for start := int64(0); start < area.Size(); start += int64(len(buffer) - len(pattern) + 1) {
		n, err := area.ReadAt(buffer, start)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the descriptions of types: %w", err)
		}
		chunk := buffer[:n]
		for at := 0; ; at++ {
			next := bytes.Index(chunk[at:], pattern)
			if next < 0 {
				break
			}
			at += next
			if matches++; matches > maxMatches {
				return fmt.Errorf("%w: %d places look like the name of a type", ErrUnsupported, matches)
			}
			visit(start + int64(at))
		}
	}
	return nil
}
