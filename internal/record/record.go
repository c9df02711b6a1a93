// Package record takes apart what the programs of a library have sent: the
// strings behind a record (struct text, bpf/include/span.h), and who is at the
// other end of a connection (struct peer, bpf/include/netconn.h).
package record

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// Text is one string of a target's.
type Text struct {
	Raw string // whatever bytes it is of
	Cut bool   // bytes are missing at its end
}

// Missing tells whether it is there, and could not be read.
func (t Text) Missing() bool { return t.Cut && t.Raw == "" }

// Placed says where in a record the struct text of a string is, in bytes, and
// where to put it.
type Placed struct {
	To *Text
	At uintptr
	// Gap is how many bytes lie between it and the next one.
	Gap int
}

// Texts takes the strings of a record, which begin at an offset and lie one
// after the other in this order. They share one copy of the record's.
func Texts(record []byte, begin uintptr, texts []Placed) error {
	if len(record) < int(begin) {
		return fmt.Errorf("record of %d bytes, %d expected at the least", len(record), begin)
	}
	rest := string(record[begin:])
	for _, text := range texts {
		size, ok := wire.ParseText(record[text.At:])
		length := int(size.Length)
		if !ok || length > len(rest) {
			return fmt.Errorf("text of %d bytes, %d are left of the record", length, len(rest))
		}
		*text.To = Text{Raw: rest[:length], Cut: size.Whole > size.Length}
		rest = rest[length:]
		rest = rest[min(text.Gap, len(rest)):]
	}
	return nil
}

// Valid makes a text valid UTF-8, of so many bytes at the most: bytes that are none
// become U+FFFD, of three bytes, and a character that was cut in two at the end goes.
func (t Text) Valid(limit int) string {
	s := t.Raw
	if t.Cut {
		s = WholeCharacters(s)
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > limit {
		s = WholeCharacters(s[:limit])
	}
	return s
}

// TraceState drops the entry of a tracestate that was cut.
func (t Text) TraceState() string {
	entries := t.Raw
	if t.Cut {
		entries = entries[:max(strings.LastIndexByte(entries, ','), 0)]
	}
	return strings.ToValidUTF8(entries, "")
}

// WholeCharacters drops the beginning of a character at the end of s.
func WholeCharacters(s string) string {
	for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
		if first := s[len(s)-i]; utf8.RuneStart(first) {
			if first >= utf8.RuneSelf && !utf8.FullRuneInString(s[len(s)-i:]) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}
