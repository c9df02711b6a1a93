package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Offsets in the description of a type, internal/abi.Type (up to Go 1.20
// runtime._type), which are the same from Go 1.17 to 1.27.
const (
	typeSize     = 0
	typePointers = 8 // bytes of a value up to the last pointer in it
	typeTFlag    = 20
	typeAlign    = 21
	typeKind     = 23
	typeStr      = 40 // of the name, from moduledata.types
	typeLength   = 48
	typeAligned  = 8
	uncommon     = 1 << 0 // internal/abi.UncommonType follows, which every named type has
	extraStar    = 1 << 1 // the name has a * in front that is not the type's
	named        = 1 << 2
	kindMask     = 1<<5 - 1
	kindComplex  = 16 // the last of those whose description has nothing of its own
	kindPointer  = 22
	kindString   = 24
	kindStruct   = 25
	structLength = 80  // internal/abi.StructType
	longestShort = 127 // bytes of a name whose length takes one byte
)

// maxTypes bounds how much of the descriptions is searched, in bytes: those of the
// largest programs take some 20 MB.
const maxTypes = 128 << 20

var errNoType = errors.New("the binary does not describe it")

// TypeAddress finds where a named type of a package is described, among the descriptions that begin
// at types (moduledata.types). The name is that of reflect.Type.String. The type is a struct, or of
// a basic kind. The package may be in a vendor folder. Two such types are an error.
func (f *File) TypeAddress(types uint64, pkg, name string) (address uint64, err error) {
	defer guard(&err)
	if name == "" || len(name) >= longestShort {
		return 0, errors.New("a name of that length is not sought")
	}
	most := uint64(maxTypes)
	if f.functionTable > types {
		most = min(most, f.functionTable-types) // linkers put that behind them
	}
	area := f.fromAddress(types, most)
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
	if err != nil {
		return 0, err
	}
	found = slices.DeleteFunc(found, func(at int64) bool { return !f.isOf(pkg, area, at) })
	switch {
	case len(found) == 0:
		return 0, errNoType
	case len(found) > 1:
		return 0, fmt.Errorf("%d types of %s are called so", len(found), pkg)
	}
	return types + uint64(found[0]), nil
}

// isOf tells whether the type that is described at a distance from the first is of a package.
func (f *File) isOf(pkg string, area io.ReaderAt, at int64) bool {
	var d [structLength + 4]byte
	if _, err := area.ReadAt(d[:], at); err != nil || d[typeTFlag]&uncommon == 0 {
		return false
	}
	behind := typeLength
	switch kind := d[typeKind] & kindMask; {
	case kind == kindStruct:
		behind = structLength
	case kind > kindComplex && kind != kindString:
		return false
	}
	path, err := nameAtOffset(area, int64(binary.LittleEndian.Uint32(d[behind:])))
	return err == nil && f.plain(path) == pkg
}

// nameAtOffset reads a name: flags, a length of one or two bytes, and the text (internal/abi.Name).
func nameAtOffset(area io.ReaderAt, at int64) (string, error) {
	var head [3]byte
	if _, err := area.ReadAt(head[:], at); err != nil {
		return "", err
	}
	length, n := binary.Uvarint(head[1:])
	if n <= 0 {
		return "", errors.New("a name of that length is not read")
	}
	name := make([]byte, length)
	_, err := area.ReadAt(name, at+1+int64(n))
	return string(name), err
}

// fromAddress is the file's part from a virtual address to the end of its segment,
// or the first bytes of that.
func (f *File) fromAddress(address uint64, most uint64) *io.SectionReader {
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			from := address - p.Vaddr
			return io.NewSectionReader(f.reader, int64(p.Off+from), int64(min(p.Filesz-from, most)))
		}
	}
	return nil
}

// maxNames bounds how many texts may be the name: one, and in rare cases another that
// happens to have the same bytes.
const maxNames = 16

// nameAt is where a name may lie, from the first description, and whether it has a
// star in front.
type nameAt struct {
	offset uint32
	star   bool
}

// findNames finds where a name may lie. Before it are its flags and its length:
// internal/abi.Name.
func findNames(area *io.SectionReader, name string) ([]nameAt, error) {
	var names []nameAt
	pattern := []byte(name)
	const before = 3 // flags, length, and the star
	size := before + len(pattern)
	err := eachWindow(area, size, func(start int64, window []byte) error {
		for at := before; at < len(window); at++ {
			next := bytes.Index(window[at:], pattern)
			if next < 0 {
				return nil
			}
			at += next
			found := nameAt{offset: uint32(start + int64(at) - 2)}
			switch {
			case window[at-1] == byte(len(name)):
			case window[at-1] == '*' && window[at-2] == byte(len(name)+1):
				found = nameAt{offset: found.offset - 1, star: true}
			default:
				continue
			}
			if !slices.Contains(names, found) {
				names = append(names, found)
			}
			if len(names) > maxNames {
				return fmt.Errorf(
					"%w: %d texts look like the name of a type", ErrUnsupported, len(names),
				)
			}
		}
		return nil
	})
	return names, err
}

// findDescriptions finds the descriptions of types that have one of the names, as
// distances from the first.
func findDescriptions(area *io.SectionReader, names []nameAt) ([]int64, error) {
	var found []int64
	err := eachWindow(area, typeLength, func(start int64, window []byte) error {
		first := int((typeAligned - start%typeAligned) % typeAligned)
		for at := first; at+typeLength <= len(window); at += typeAligned {
			offset := binary.LittleEndian.Uint32(window[at+typeStr:])
			for _, name := range names {
				if name.offset == offset && describes(window[at:at+typeLength], name.star) &&
					!slices.Contains(found, start+int64(at)) {
					found = append(found, start+int64(at))
				}
			}
			if len(found) > maxNames {
				return fmt.Errorf("%w: %d types are called so", ErrUnsupported, len(found))
			}
		}
		return nil
	})
	return found, err
}

// describes tells whether bytes look like the description of a type with a name, that
// is no pointer.
func describes(d []byte, star bool) bool {
	size, pointers := binary.LittleEndian.Uint64(d[typeSize:]), binary.LittleEndian.Uint64(
		d[typePointers:],
	)
	kind, align := d[typeKind]&kindMask, d[typeAlign]
	return d[typeTFlag]&named != 0 && d[typeTFlag]&extraStar != 0 == star &&
		kind != 0 && kind != kindPointer &&
		pointers <= size && align != 0 && align <= typeAligned &&
		align&(align-1) == 0
}

// eachWindow visits an area in windows, each of which begins with the last bytes of the
// one before, so that no stretch of `size` bytes is missed.
func eachWindow(
	area *io.SectionReader, size int, visit func(start int64, window []byte) error,
) error {
	buffer := make([]byte, 256<<10)
	for start := int64(0); start < area.Size(); start += int64(len(buffer) - size + 1) {
		n, err := area.ReadAt(buffer, start)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the descriptions of types: %w", err)
		}
		if err := visit(start, buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}
