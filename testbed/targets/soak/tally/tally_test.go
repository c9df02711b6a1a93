package tally

import (
	"path/filepath"
	"testing"
)

func TestWhatWasCountedIsInTheFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tally")
	counts, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	counts.Begin(Unary)
	counts.Begin(Unary)
	counts.Begin(BidiStream)
	counts.End(Unary, true)
	counts.End(BidiStream, false)
	got, err := Read(path)
	if want := (Sums{Unary: {2, 1, 1}, BidiStream: {1, 1, 0}}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestClassesAreFoundByTheirNames(t *testing.T) {
	for c := range Classes {
		if got, ok := ClassOf(c.String()); got != c || !ok {
			t.Errorf("%v: %v, %v", c, got, ok)
		}
	}
	if c, ok := ClassOf("other"); ok {
		t.Errorf("other is %v", c)
	}
}
