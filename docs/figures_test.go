package docs_test

import (
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// units are those of the code and of the pages.
var units = strings.NewReplacer(
	"time.Millisecond", "1e6", "time.Second", "1e9", "time.Minute", "60e9",
	",", "", " KiB", " * 1024", " MiB", " * 1024 * 1024", " GiB", " * 1024 * 1024 * 1024",
	" B", "", " ms", " * 1e6", " min", " * 60e9", " s", " * 1e9",
)

func TestFiguresAreThoseOfTheCode(t *testing.T) {
	figures := 0
	for _, p := range readPages(t) {
		for _, rows := range p.tables("of") {
			for _, row := range rows {
				if len(row) != 4 {
					continue // another table
				}
				figures++
				file, name := strings.Trim(row[2], "`"), strings.Trim(row[3], "`")
				source, err := os.ReadFile(filepath.Join("..", file))
				if err != nil {
					t.Fatal(err)
				}
				found := regexp.MustCompile(`(?m)^(?:const|\t)\s*` + name + `\s+= ([^/\n]+)`).
					FindSubmatch(source)
				if found == nil {
					t.Errorf("%s: %s has no constant %s", p.path, file, name)
					continue
				}
				if is, says := value(t, string(found[1])), value(t, row[1]); is != says {
					t.Errorf("%s: %s of %s is %s, not %s", p.path, name, file, found[1], row[1])
				}
			}
		}
	}
	if figures == 0 {
		t.Error("no page has figures of the code")
	}
}

// value is that of a constant's expression, or of a figure with its unit.
func value(t *testing.T, text string) string {
	t.Helper()
	got, err := types.Eval(token.NewFileSet(), nil, token.NoPos, units.Replace(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return constant.ToInt(got.Value).ExactString()
}
