package all

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

const root = "../.."

// named is the folder of a library that has spans, and the words that name it.
type named struct {
	folder string // below bpf
	words  []word
	others []string // folders with which it makes pairs, which may name it
}

// The next library would have to be named in the same places.
func TestALibraryIsNamedInItsFolderOnly(t *testing.T) {
	libraries := namedLibraries()
	if len(libraries) < 2 {
		t.Fatalf("there are %d libraries", len(libraries))
	}
	sources := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = strings.TrimPrefix(path, root+string(filepath.Separator))
		if entry.IsDir() && isElsewhere(path) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !isSource(path) {
			return nil
		}
		sources++
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		for line, text := range linesOf(path, content) {
			for _, library := range libraries {
				if named := library.namedIn(text); named != "" && !library.allows(path) {
					t.Errorf("%s:%d names %s: %q in %q", path, line, library.folder, named,
						strings.TrimSpace(text))
				}
			}
		}
		return nil
	})
	if err != nil || sources < 100 {
		t.Fatalf("%d sources: %v", sources, err)
	}
}

// isElsewhere tells whether nobody looks into a folder of the repository. The programs of the
// testbed, and those that tests inspect, use the libraries; its suites are of one library each.
func isElsewhere(folder string) bool {
	parent, name := filepath.Split(folder)
	return name == ".git" || name == "dist" || folder == "bpf/all" ||
		parent == "testbed/" && name != "support" || name == "tiny" || name == "testbinary"
}

// isSource tells whether a file is looked at. Tests take real programs as their samples.
func isSource(path string) bool {
	switch filepath.Ext(path) {
	case ".go":
		return !strings.HasSuffix(path, "_test.go")
	case ".c", ".h":
		return true
	}
	return filepath.Base(path) == "Makefile"
}

// namedIn gives the library's name as a text has it, or "".
func (n named) namedIn(text string) string {
	for _, w := range n.words {
		if found := w.in(text); found != "" {
			return found
		}
	}
	return ""
}

// allows tells whether a file may name the library.
func (n named) allows(path string) bool {
	folder := filepath.Dir(path)
	return folder == "bpf/"+n.folder || slices.ContainsFunc(n.others, func(other string) bool {
		return folder == "bpf/"+other
	})
}

// linesOf gives the lines of a source by number, but nothing of generated code. A Go file may
// import packages of the library that is instrumented: that is no more than a use.
func linesOf(path string, content []byte) map[int]string {
	lines := map[int]string{}
	for i, text := range strings.Split(string(content), "\n") {
		lines[i+1] = text
	}
	if filepath.Ext(path) != ".go" {
		return lines
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, content, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return lines // another test says so
	}
	if ast.IsGenerated(file) {
		return nil
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err == nil && !strings.HasPrefix(imported, ours) {
			delete(lines, files.Position(spec.Pos()).Line)
		}
	}
	return lines
}

// namedLibraries lists the folders of libraries with spans.
func namedLibraries() []named {
	var all []named
	for _, folder := range folders {
		libraries := folder()
		if !slices.ContainsFunc(libraries, hasSpans) {
			continue
		}
		n := named{folder: nameOf(folder)}
		names := []string{n.folder}
		for _, library := range libraries {
			if hasSpans(library) {
				names = append(names, string(library.Name))
			}
			for _, rule := range library.Rules {
				if rule.Module != model.ModuleStd && rule.Oldest != "" {
					names = append(names, rule.Module)
				}
			}
			for _, other := range folders {
				if slices.ContainsFunc(
					other(),
					func(l probe.Library) bool { return refers(l, library.Name) },
				) {
					n.others = append(n.others, nameOf(other))
				}
			}
		}
		for _, name := range names {
			n.words = append(n.words, newWord(name))
		}
		all = append(all, n)
	}
	return all
}

func hasSpans(library probe.Library) bool { return !library.Auxiliary() }

// refers tells whether a library makes a pair with another one.
func refers(library probe.Library, to probe.Name) bool {
	return slices.Contains(library.Parents, to) ||
		slices.ContainsFunc(library.Extensions, func(e probe.Extension) bool { return e.Of == to })
}

const ours = "github.com/spanprobe/spanprobe/bpf/"

// nameOf is the name of a folder in bpf, by its function Libraries.
func nameOf(folder func() []probe.Library) string {
	function := runtime.FuncForPC(reflect.ValueOf(folder).Pointer()).Name()
	return strings.TrimSuffix(strings.TrimPrefix(function, ours), ".Libraries")
}
