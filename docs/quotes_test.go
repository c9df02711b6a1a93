package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A person who searches a page for a line of the log must find it.
func TestQuotedMessagesAreThoseOfTheCode(t *testing.T) {
	source := sourceCode(t)
	p := readPage(t, "docs/troubleshooting.md")
	quotes := 0
	for _, title := range []string{"the log says", "the error says", "`reason`"} {
		for _, rows := range p.tables(title) {
			for _, row := range rows {
				quotes++
				for _, part := range strings.Split(strings.Trim(row[0], "`"), "…") {
					if part = strings.TrimSpace(part); !strings.Contains(source, part) {
						t.Errorf("%s quotes %q, which no code says", p.path, part)
					}
				}
			}
		}
	}
	if quotes == 0 {
		t.Errorf("%s quotes nothing", p.path)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	explained := map[string]bool{}
	for _, rows := range readPage(t, "docs/troubleshooting.md").tables("`reason`") {
		for _, row := range rows {
			explained[strings.Trim(row[0], "`")] = true
		}
	}
	reason := regexp.MustCompile(`(?m)^\t(?:Lost|Degraded)\w+\s+\w+ += "(\w+)"`)
	reasons := reason.FindAllStringSubmatch(sourceCode(t), -1)
	if len(reasons) == 0 {
		t.Error("no reasons were found in the code")
	}
	for _, match := range reasons {
		if !explained[match[1]] {
			t.Errorf("docs/troubleshooting.md does not explain the reason %s", match[1])
		}
	}
}

// sourceCode is that of the receiver, with the strings put together that lines break.
func sourceCode(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"internal", "receiver", "cmd"} {
		err := filepath.WalkDir(
			filepath.Join("..", folder),
			func(path string, _ fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".go") ||
					strings.HasSuffix(path, "_test.go") {
					return err
				}
				data, err := os.ReadFile(path)
				all.Write(data)
				return err
			},
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	return regexp.MustCompile(`" \+\s*"`).ReplaceAllString(all.String(), "")
}

func TestQuotedCommandsAreThoseOfTheMakefile(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`(?m)^make ([a-z-]+)`)
	for _, p := range readPages(t) {
		text := strings.Join(append(code(p.source, p.root), p.fenced("console")...), "\n")
		for _, match := range quoted.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+match[1]+":") {
				t.Errorf("%s says `make %s`, which the Makefile does not have", p.path, match[1])
			}
		}
	}
}

// The code names pages as well.
func TestPagesThatTheCodeNamesExist(t *testing.T) {
	named := regexp.MustCompile(`\bdocs/[a-z-]+\.md`)
	for _, name := range named.FindAllString(sourceCode(t), -1) {
		if _, err := os.Stat(filepath.Join("..", name)); err != nil {
			t.Errorf("the code names %s: %v", name, err)
		}
	}
}
