package soak

import (
	"path/filepath"
	"testing"

	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

func TestWhatWasCountedIsInTheFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tally")
	counts, err := tally.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	counts.Begin(tally.Unary)
	counts.Begin(tally.Unary)
	counts.Begin(tally.BidiStream)
	counts.End(tally.Unary, true)
	counts.End(tally.BidiStream, false)
	got, err := read(path)
	want := tally.Sums{
		tally.Unary: {Begun: 2, Ended: 1, OK: 1}, tally.BidiStream: {Begun: 1, Ended: 1},
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestClassesAreFoundByTheirNames(t *testing.T) {
	for c := range tally.Classes {
		if got, ok := tally.ClassOf(c.String()); got != c || !ok {
			t.Errorf("%v: %v, %v", c, got, ok)
		}
	}
	if c, ok := tally.ClassOf("other"); ok {
		t.Errorf("other is %v", c)
	}
}
