package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

func TestLinksLeadSomewhere(t *testing.T) {
	anchors := map[string]map[string]bool{} // by page
	for _, p := range readPages(t) {
		anchors[p.path] = p.anchors()
	}
	for _, p := range readPages(t) {
		each(p.root, func(node ast.Node) {
			link, ok := node.(*ast.Link)
			if !ok || strings.Contains(string(link.Destination), "://") {
				return
			}
			file, anchor, _ := strings.Cut(string(link.Destination), "#")
			to := p.path
			if file != "" {
				to = path.Join(path.Dir(p.path), file)
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s links to %s: %v", p.path, link.Destination, err)
				return
			}
			if anchor == "" {
				return
			}
			if anchors[to] == nil {
				anchors[to] = readPage(t, to).anchors()
			}
			if !anchors[to][anchor] {
				t.Errorf("%s links to %s: %s has no such heading", p.path, link.Destination, to)
			}
		})
	}
}

// anchors are the names that GitHub gives to a page's headings.
func (p page) anchors() map[string]bool {
	all := map[string]bool{}
	each(parse(p.whole), func(node ast.Node) {
		heading, ok := node.(*ast.Heading)
		if !ok {
			return
		}
		var title strings.Builder
		each(heading, func(n ast.Node) {
			if t, ok := n.(*ast.Text); ok {
				title.Write(t.Segment.Value(p.whole))
			}
		})
		all[anchor(title.String())] = true
	})
	return all
}

func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

// A path in a page is one of this repository, but for patterns.
func TestNamedFilesExist(t *testing.T) {
	named := regexp.MustCompile(
		`^(?:bpf|cmd|docs|internal|offsets|receiver|testbed|tools)/[\w./-]+$`,
	)
	for _, p := range readPages(t) {
		for _, name := range code(p.source, p.root) {
			if !named.MatchString(name) {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", name)); err != nil {
				t.Errorf("%s names %s: %v", p.path, name, err)
			}
		}
	}
}
