// Package record takes records of a library's programs apart, into texts (struct text,
// bpf/include/span.h) and peers (struct peer, bpf/include/netconn.h), and makes attributes of them.
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

// Missing tells whether the target has the text, and the programs could not read it.
func (t Text) Missing() bool { return t.Cut && t.Raw == "" }

// Placed is a text's place in a record, and its destination.
type Placed struct {
	To *Text
	At uintptr // offset of the struct text, in bytes
	// Gap is the number of bytes between this text and the next.
	Gap int
}

// Texts takes the texts of a record, which begin at an offset and lie one after the other in this
// order. They share one copy of the record's bytes.
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

// Valid makes valid UTF-8 of a text, up to a limit in bytes. Other bytes become U+FFFD, which has
// three bytes. A character that was cut in two at the end goes.
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
