package wire

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// The programs and the table of offsets are handed in to what is in internal. The linter holds the
// same, and is not run by everybody.
func TestNothingInInternalImportsWhatIsAbove(t *testing.T) {
	const module = "github.com/spanprobe/spanprobe/"
	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") ||
			strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, imported := range file.Imports {
			of, ours := strings.CutPrefix(strings.Trim(imported.Path.Value, `"`), module)
			if ours && !strings.HasPrefix(of, "internal/") {
				t.Errorf("%s imports %s", path, of)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files: %v", files, err)
	}
}
