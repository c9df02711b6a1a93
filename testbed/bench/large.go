package main

import (
	"bytes"
	"context"
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing/fstest"
	"text/template"
)

// large says how large a program is made: a server that has very many functions, none of
// which the linker can leave out, and data.
type large struct {
	Packages  int
	Functions int // of each package
	Types     int // of each package
	data      int // bytes
}

// asLargeAsTheyCome is larger than any program that the tests know.
var asLargeAsTheyCome = large{Packages: 200, Functions: 1000, Types: 50, data: 42 << 20}

//go:embed large/*.tmpl
var sourceFiles embed.FS

var sources = template.Must(template.ParseFS(sourceFiles, "large/*.tmpl"))

// build makes the program, from sources in dir.
func (l large) build(ctx context.Context, dir, output string) error {
	data := make([]byte, l.data)
	if _, err := rand.NewChaCha8([32]byte{}).Read(data); err != nil {
		return err
	}
	var program, library bytes.Buffer
	if err := errors.Join(sources.ExecuteTemplate(&program, "main.go.tmpl", l),
		sources.ExecuteTemplate(&library, "package.go.tmpl", l)); err != nil {
		return err
	}
	files := fstest.MapFS{
		"go.mod":  {Data: []byte("module example.com/large\n\ngo 1.26\n")},
		"data":    {Data: data},
		"main.go": {Data: program.Bytes()},
	}
	for i := range l.Packages {
		files[fmt.Sprintf("p%d/large.go", i)] = &fstest.MapFile{Data: library.Bytes()}
	}
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	_, err := goCommand(ctx, dir, "build", "-trimpath", "-o", output, ".")
	return err
}

// ofNoRelease makes a copy of a program that says that it was built by a release of Go
// that there is not.
func ofNoRelease(path, to, goVersion string) error {
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	section := file.Section(".go.buildinfo")
	if section == nil {
		return errors.New("the program has no build information")
	}
	info := program[section.Offset:][:section.FileSize]
	_, release, _ := strings.Cut(goVersion, "go1.")
	at := bytes.Index(info, []byte(goVersion))
	if at < 0 || release == "" {
		return fmt.Errorf("the build information of the program does not have %q", goVersion)
	}
	copy(info[at+len(goVersion)-len(release):], strings.Repeat("9", len(release)))
	return os.WriteFile(to, program, 0o755)
}
