package inspect

import "encoding/binary"

// The forms of attributes that are read, and those whose size is not fixed: DWARF 5, section 7.5.6.
// debug/dwarf keeps them to itself.
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formSData         = 0x0d
	formStrp          = 0x0e
	formUData         = 0x0f
	formRefAddr       = 0x10
	formRefUData      = 0x15
	formSecOffset     = 0x17
	formExprLoc       = 0x18
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formStrpSup       = 0x1d
	formLineStrp      = 0x1f
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
)

// fixedSize gives the size of the forms that have one, in bytes.
func fixedSize(form uint64) (size int, ok bool) {
	switch form {
	case 0x19, formImplicitConst: // flag_present
		return 0, true
	case 0x0b, 0x0c, 0x11, 0x25, 0x29: // data1, flag, ref1, strx1, addrx1
		return 1, true
	case 0x05, 0x12, 0x26, 0x2a: // data2, ref2, strx2, addrx2
		return 2, true
	case 0x27, 0x2b: // strx3, addrx3
		return 3, true
	case 0x06, 0x13, 0x1c, 0x28, 0x2c: // data4, ref4, ref_sup4, strx4, addrx4
		return 4, true
	case 0x07, 0x14, 0x20, 0x24: // data8, ref8, ref_sig8, ref_sup8
		return 8, true
	case 0x1e: // data16
		return 16, true
	}
	return 0, false
}

// skipForm passes over a value.
func (d *debugInfo) skipForm(form uint64) error {
	if size, ok := fixedSize(form); ok {
		return d.skip(uint64(size))
	}
	var length uint64
	var err error
	switch form {
	case formAddr:
		length = uint64(d.address)
	case formRefAddr:
		length = uint64(d.offsetSize())
		if d.version == 2 {
			length = uint64(d.address)
		}
	case formStrp, formSecOffset, formStrpSup, formLineStrp:
		length = uint64(d.offsetSize())
	case formSData, formUData, formRefUData, formStrx, formAddrx, formLoclistx, formRnglistx:
		_, err = d.uleb() // a signed one has the same length
	case formString:
		_, err = d.text()
	case formBlock1:
		length, err = d.number(1)
	case formBlock2:
		length, err = d.number(2)
	case formBlock4:
		length, err = d.number(4)
	case formBlock, formExprLoc:
		length, err = d.uleb()
	default:
		return errMalformed
	}
	if err != nil {
		return err
	}
	return d.skip(length)
}

// constant reads the offset of a member; -1 stands for one that is not a
// constant.
func (d *debugInfo) constant(a attribute) (int64, error) {
	switch a.form {
	case formImplicitConst:
		return a.constant, nil
	case formUData:
		value, err := d.uleb()
		return int64(value), err
	}
	if size, ok := fixedSize(a.form); ok && size > 0 && size <= 8 {
		value, err := d.number(size)
		return int64(value), err
	}
	return -1, d.skipForm(a.form)
}

// Bounds on the abbreviations: Go's linker makes one table of about fifty for
// all units. Only the first of a longer one are kept, and a unit that uses more
// is not understood.
const (
	maxShapes     = 512     // of one table
	maxFields     = 64      // of one shape
	maxAttributes = 4 << 20 // of all tables of a file
)

// useShapes makes the table of abbreviations at an offset the current one.
func (d *debugInfo) useShapes(at uint64) error {
	if d.shapes != nil && d.shapesAt == at {
		return nil
	}
	if at > uint64(len(d.abbrevs)) {
		return errMalformed
	}
	rest := d.abbrevs[at:]
	failed := false
	next := func() uint64 {
		value, n := binary.Uvarint(rest)
		if n <= 0 {
			failed = true
			return 0
		}
		rest = rest[n:]
		return value
	}
	shapes := map[uint64]shape{}
	for len(shapes) < maxShapes && !failed {
		code := next()
		if code == 0 {
			break
		}
		s := shape{tag: next(), children: next() == 1}
		for len(s.fields) < maxFields {
			a := attribute{name: next(), form: next()}
			if a.form == formImplicitConst {
				a.constant = int64(next()) // of a member's offset, which is not negative
			}
			if a.name == 0 && a.form == 0 {
				break
			}
			s.fields = append(s.fields, a)
		}
		shapes[code] = s
		d.attributes += len(s.fields) + 1
	}
	if failed || d.attributes > maxAttributes {
		return errMalformed
	}
	d.shapes, d.shapesAt = shapes, at
	return nil
}
