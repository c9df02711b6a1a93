package target

import (
	"os"
	"testing"

	"github.com/spanprobe/spanprobe/internal/inspect"
)

// Inspect opens an executable for inspection, until the test ends.
func Inspect(t testing.TB, executable string) *inspect.File {
	t.Helper()
	file, err := os.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	inspected, err := inspect.Open(file, info.Size(), executable)
	if err != nil {
		t.Fatal(err)
	}
	return inspected
}
