package record

import "testing"

func TestATextIsValidAndNeverCutInsideACharacter(t *testing.T) {
	for _, c := range []struct {
		text Text
		want string
	}{
		{Text{"plain", false}, "plain"},
		{Text{"plain", true}, "plain"},
		{Text{"caf\xc3", true}, "caf"},
		{Text{"caf\xc3", false}, "caf�"},
		{Text{"\xe2\x82", true}, ""},
		{Text{"é", true}, "é"},
		{Text{"a\xff\xfeb", false}, "a�b"},
		{Text{"\x80\x80\x80\x80", true}, "�"},
		{Text{"a\x00b", false}, "a\x00b"},
		{Text{"1234567\xff", false}, "1234567"}, // U+FFFD would make it longer than 8
		{Text{"1\xff2\xff3\xff", false}, "1�2�"},
	} {
		if got := c.text.Valid(8); got != c.want {
			t.Errorf("%q (cut: %v): %q, want %q", c.text.Raw, c.text.Cut, got, c.want)
		}
	}
}

func TestAStateThatWasCutLosesItsLastEntry(t *testing.T) {
	for _, c := range []struct {
		text Text
		want string
	}{
		{Text{"a=1,b=2", false}, "a=1,b=2"},
		{Text{"a=1,b=2", true}, "a=1"},
		{Text{"a=1", true}, ""},
		{Text{"", true}, ""},
	} {
		if got := c.text.TraceState(); got != c.want {
			t.Errorf("%q (cut: %v): %q, want %q", c.text.Raw, c.text.Cut, got, c.want)
		}
	}
}
