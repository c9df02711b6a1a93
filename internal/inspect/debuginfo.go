package inspect

import (
	"bufio"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The tags and attributes that are looked at. A file may have larger ones than those of debug/dwarf
// can be.
const (
	tagMember      = uint64(dwarf.TagMember)
	tagPointerType = uint64(dwarf.TagPointerType)
	tagStructType  = uint64(dwarf.TagStructType)
	tagCompileUnit = uint64(dwarf.TagCompileUnit)

	attrName     = uint64(dwarf.AttrName)
	attrProducer = uint64(dwarf.AttrProducer)
	attrLocation = uint64(dwarf.AttrDataMemberLoc)
	attrType     = uint64(dwarf.AttrType)
)

// unitTypeCompile is DW_UT_compile: DWARF 5, section 7.5.1. debug/dwarf keeps it to itself.
const unitTypeCompile = 0x01

// maxIdentifier bounds the names that are compared, in bytes; the rest of a longer one is skipped.
const maxIdentifier = 512

var errMalformed = errors.New("malformed debug information")

// debugInfo reads .debug_info from its beginning to its end.
type debugInfo struct {
	reader  *bufio.Reader
	abbrevs []byte // .debug_abbrev

	unitName string
	producer string // of the current unit: who compiled it
	left     uint64 // bytes of the current unit that are not read yet
	end      uint64 // where it ends, from the beginning of the section
	address  int    // bytes of an address in it
	wide     bool   // 64-bit DWARF
	version  uint16

	shapes     map[uint64]shape // by code, from the table at shapesAt
	shapesAt   uint64
	attributes int // in all tables that were read
	values     int // attributes and entries that were read
}

// shape is what an abbreviation says of the entries that use it.
type shape struct {
	tag      uint64
	children bool
	fields   []attribute
}

type attribute struct {
	name, form uint64
	constant   int64 // of form implicit_const
}

// entry is a debugging information entry; tag 0 ends a list of children.
type entry struct {
	tag      uint64
	children bool
	name     string
	producer string // of a unit
	location int64  // -1: none
	at       uint64 // from the beginning of the section
	refers   uint64 // to the entry of its type; 0: it has none that is known
}

// nextUnit goes on to the next compilation unit, and reads its first entry.
// Units of other kinds, and those that are not understood, get no name.
func (d *debugInfo) nextUnit() (more bool, err error) {
	if err := d.skip(d.left); err != nil {
		return false, err
	}
	d.unitName, d.producer = "", ""
	if _, err := d.reader.Peek(1); errors.Is(err, io.EOF) {
		return false, nil
	}
	d.left = 12
	length, err := d.number(4)
	if err != nil {
		return false, err
	}
	if d.wide = length == 0xffffffff; d.wide {
		if length, err = d.number(8); err != nil {
			return false, err
		}
	}
	d.left = length
	d.end += 4 + length
	if d.wide {
		d.end += 8
	}
	version, err := d.number(2)
	if err != nil {
		return false, err
	}
	d.version = uint16(version)
	kind := uint64(unitTypeCompile)
	var abbrev, address uint64
	switch {
	case version >= 2 && version <= 4:
		abbrev, err = d.number(d.offsetSize())
		if err == nil {
			address, err = d.number(1)
		}
	case version == 5:
		kind, err = d.number(1)
		if err == nil {
			address, err = d.number(1)
		}
		if err == nil {
			abbrev, err = d.number(d.offsetSize())
		}
	default:
		return false, fmt.Errorf("%w: DWARF version %d", ErrUnsupported, version)
	}
	if err != nil || kind != unitTypeCompile {
		return err == nil, err
	}
	d.address = int(address)
	if err := d.useShapes(abbrev); err != nil {
		return false, err
	}
	e, err := d.nextEntry()
	if err != nil {
		return false, err
	}
	if e.tag == tagCompileUnit && e.children {
		d.unitName, d.producer = e.name, e.producer
	}
	return true, nil
}

// nextEntry reads one entry of the current unit.
func (d *debugInfo) nextEntry() (entry, error) {
	at := d.end - d.left
	code, err := d.uleb()
	if err != nil || code == 0 {
		return entry{}, err
	}
	s, ok := d.shapes[code]
	if !ok {
		return entry{}, errMalformed
	}
	e := entry{tag: s.tag, children: s.children, location: -1, at: at}
	d.values += 1 + len(s.fields)
	for _, a := range s.fields {
		switch {
		case a.name == attrName && a.form == formString:
			e.name, err = d.text()
		case a.name == attrProducer && a.form == formString:
			e.producer, err = d.text()
		case a.name == attrLocation:
			e.location, err = d.constant(a)
		case a.name == attrType && a.form == formRefAddr && d.version > 2:
			e.refers, err = d.number(d.offsetSize()) // which is what Go's linker writes
		default:
			err = d.skipForm(a.form)
		}
		if err != nil {
			return entry{}, err
		}
	}
	return e, nil
}

func (d *debugInfo) offsetSize() int {
	if d.wide {
		return 8
	}
	return 4
}

// number reads an unsigned integer of up to eight bytes.
func (d *debugInfo) number(size int) (uint64, error) {
	if uint64(size) > d.left || size > 8 {
		return 0, errMalformed
	}
	var b [8]byte
	if _, err := io.ReadFull(d.reader, b[:size]); err != nil {
		return 0, err
	}
	d.left -= uint64(size)
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (d *debugInfo) byte() (byte, error) {
	if d.left == 0 {
		return 0, errMalformed
	}
	d.left--
	return d.reader.ReadByte()
}

// uleb reads a number in DWARF's variable-length code.
func (d *debugInfo) uleb() (uint64, error) {
	var value uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := d.byte()
		if err != nil {
			return 0, err
		}
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return value, nil
		}
	}
	return 0, errMalformed
}

// text reads a string that ends with a zero byte.
func (d *debugInfo) text() (string, error) {
	var buffer [maxIdentifier]byte
	length := 0
	for {
		b, err := d.byte()
		if err != nil {
			return "", err
		}
		if b == 0 {
			return string(buffer[:length]), nil
		}
		if length < len(buffer) {
			buffer[length] = b
			length++
		}
	}
}

func (d *debugInfo) skip(size uint64) error {
	if size > d.left {
		return errMalformed
	}
	d.left -= size
	for size > 0 {
		n, err := d.reader.Discard(int(min(size, 1<<20)))
		size -= uint64(n)
		if err != nil {
			return err
		}
	}
	return nil
}
