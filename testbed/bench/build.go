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
	"os/exec"
	"path/filepath"
	"strings"
	"testing/fstest"
	"text/template"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/collector"
)

// binaries are the programs of a run.
type binaries struct {
	dir       string   // of all but the collector
	otelcol   string   // the collector that `make build` makes
	copied    []string // copies of the bare server
	goVersion string   // that built the servers
}

// Names of programs that are only inspected: one that is made for that, and the same as if built
// by a release of Go that no table has.
const (
	largeProgram = "large"
	ofNoGo       = "large, by an unknown Go"
)

// path is that of a program: "bare" and "byhand" serve HTTP, "barecalls" and "byhandcalls" make
// calls or serve them, "peer" is a copy of barecalls which nobody traces, and "spanprobe" inspects.
func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// build builds into dir what the run needs and `make build` does not.
func build(ctx context.Context, root, dir string) (b binaries, err error) {
	b = binaries{dir: dir, otelcol: collector.Binary(root)}
	if _, err := os.Stat(b.otelcol); err != nil {
		return b, fmt.Errorf("there is no collector: `make build` makes it: %w", err)
	}
	inspector := b.path("spanprobe")
	_, err = goCommand(ctx, root, "build", "-trimpath", "-o", inspector, "./cmd/spanprobe")
	if err != nil {
		return b, err
	}
	for _, name := range serverPrograms {
		if err := b.buildServer(ctx, root, name); err != nil {
			return b, err
		}
	}
	if err := copyFile(b.path("barecalls"), b.path("peer")); err != nil {
		return b, err
	}
	if b.copied, err = makeCopies(b.path("bare"), b.path("copies"), report.Copies); err != nil {
		return b, err
	}
	if b.goVersion, err = goCommand(ctx, testbed(root), "env", "GOVERSION"); err != nil {
		return b, err
	}
	sources := b.path("sources")
	if err := asLargeAsTheyCome.build(ctx, sources, b.path(largeProgram)); err != nil {
		return b, err
	}
	if err := os.RemoveAll(sources); err != nil {
		return b, err
	}
	return b, ofNoRelease(b.path(largeProgram), b.path(ofNoGo), b.goVersion)
}

// serverPrograms are bare, or instrumented by hand.
var serverPrograms = []string{"bare", "byhand", "barecalls", "byhandcalls"}

// buildServer builds one of them.
func (b binaries) buildServer(ctx context.Context, root, name string) error {
	how, calls := strings.CutSuffix(name, "calls")
	source := "./bench/server/hello"
	if calls {
		source = "./bench/server/calls"
	}
	_, err := goCommand(ctx, testbed(root),
		"build", "-trimpath", "-tags="+how, "-o", b.path(name), source)
	return err
}

func testbed(root string) string { return filepath.Join(root, "testbed") }

func goCommand(ctx context.Context, dir string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir, command.Stderr = dir, os.Stderr
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w", strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(output)), err
}

// copyFile makes a copy that can be executed.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}

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
