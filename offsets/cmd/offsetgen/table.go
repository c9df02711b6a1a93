package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
)

// parts are the parts of a table by module, each as it is in the file.
type parts map[string][]byte

// readParts splits the table in a file, if there is one.
func readParts(path string) (parts, error) {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	found := parts{}
	module := ""
	for line := range bytes.Lines(content) {
		if path, ok := strings.CutPrefix(string(line), "module "); ok {
			module = strings.TrimSpace(path)
		}
		if module != "" { // what is before the first is written anew
			found[module] = append(found[module], line...)
		}
	}
	return found, nil
}

// join makes a table of its parts, that of the standard library first.
func (p parts) join(made time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b,
		"# Made by offsets/cmd/offsetgen. The format is that of offsets.Parse.\nmade %s\n",
		made.UTC().Format(time.DateOnly))
	for _, module := range inOrder(p) {
		b.Write(p[module])
	}
	return b.Bytes()
}

// inOrder lists modules, the standard library first.
func inOrder[V any](byModule map[string]V) []string {
	return slices.SortedFunc(maps.Keys(byModule), func(a, b string) int {
		switch {
		case a == model.ModuleStd:
			return -1
		case b == model.ModuleStd:
			return 1
		}
		return strings.Compare(a, b)
	})
}

// writeIfChanged leaves a file alone whose only difference would be its date.
func writeIfChanged(path string, table []byte) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if withoutDate(old) == withoutDate(table) {
		return nil
	}
	temporary := filepath.Join(filepath.Dir(path), ".table.new")
	if err := os.WriteFile(temporary, table, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func withoutDate(table []byte) string {
	var kept strings.Builder
	for line := range strings.Lines(string(table)) {
		if !strings.HasPrefix(line, "made ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
