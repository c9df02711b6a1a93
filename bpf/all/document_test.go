package all

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the attributes into the page of spans again")

const (
	pageOfSpans = "../../docs/spans.md"
	beginning   = "<!-- attributes: begin -->\n"
	end         = "<!-- attributes: end -->\n"
)

func TestThePageOfSpansHasTheAttributesOfEveryLibrary(t *testing.T) {
	page, err := os.ReadFile(pageOfSpans)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), beginning)
	block, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s has no lines %q and %q", pageOfSpans, beginning, end)
	}
	want := attributes()
	if *update {
		whole := before + beginning + want + end + after
		if err := os.WriteFile(pageOfSpans, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, block); diff != "" {
		t.Errorf("run go test ./bpf/all -update (-documented +in the page):\n%s", diff)
	}
}

// attributes describes those of every library with spans.
func attributes() string {
	var block strings.Builder
	for _, library := range Libraries() {
		if library.Auxiliary() {
			continue
		}
		fmt.Fprintf(&block, "\n### `%s`\n\n| attribute | from |\n| --- | --- |\n", library.Name)
		for _, attribute := range library.Attributes {
			fmt.Fprintf(&block, "| `%s` | %s |\n", attribute.Key, attribute.From)
		}
	}
	return block.String() + "\n"
}

// A decoder names attributes by constants of the conventions. Those that its folder documents are
// in document.go.
func TestEveryAttributeThatADecoderNamesIsDocumented(t *testing.T) {
	documents, err := filepath.Glob("../*/document.go")
	if err != nil || len(documents) == 0 {
		t.Fatalf("%d folders document attributes: %v", len(documents), err)
	}
	for _, document := range documents {
		documented := conventionsIn(t, document)
		sources, err := filepath.Glob(filepath.Join(filepath.Dir(document), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			for key := range conventionsIn(t, source) {
				if !documented[key] {
					t.Errorf("%s names semconv.%s, which %s does not have", source, key, document)
				}
			}
		}
	}
}

// conventionsIn finds the keys of the conventions that a source names: semconv.….
func conventionsIn(t *testing.T, source string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := selector.X.(*ast.Ident)
		if ok && pkg.Name == "semconv" && strings.HasSuffix(selector.Sel.Name, "Key") {
			keys[selector.Sel.Name] = true
		}
		return true
	})
	return keys
}
