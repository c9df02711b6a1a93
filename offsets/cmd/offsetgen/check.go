package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/offsets"
)

// program links what the wanted structs are declared in: the compiler describes
// no type that a program does not use.
const program = `package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Host", r.Host)
	})
	go log.Println("listening")
	log.Fatal(http.ListenAndServe("localhost:0", nil))
}
`

// check compares a table with what compilers made of the same structs.
func check(ctx context.Context, text []byte, examined []release, wanted []model.Field) error {
	table, err := offsets.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	var errs []error
	versions := besideChanges(examined, wanted)
	for i, version := range versions {
		fmt.Fprintf(os.Stderr, "[%d/%d] compile with go%s\n", i+1, len(versions), version)
		if err := checkRelease(ctx, table, version, wanted); err != nil {
			errs = append(errs, fmt.Errorf("go%s: %w", version, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// besideChanges lists the first and the last release, and those on both sides of
// each change.
func besideChanges(releases []release, wanted []model.Field) []string {
	var versions []string
	for i, r := range releases {
		if i == 0 || i == len(releases)-1 || differ(releases[i-1], r, wanted) || differ(r, releases[i+1], wanted) {
			versions = append(versions, r.version)
		}
	}
	return versions
}

func differ(a, b release, wanted []model.Field) bool {
	for _, field := range wanted {
		if describe(a.layout[field.String()]) != describe(b.layout[field.String()]) {
			return true
		}
	}
	return false
}

func checkRelease(ctx context.Context, table *offsets.Table, version string, wanted []model.Field) (err error) {
	root, done, err := fetch(ctx, version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	// Its own build cache, so that a check leaves nothing behind.
	work, err := os.MkdirTemp("", "offsetgen-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	var errs []error
	for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
		executable, err := compile(ctx, work, root, version, arch)
		if err != nil {
			return err
		}
		found, err := readStructs(executable, wanted)
		if err != nil {
			return fmt.Errorf("debug information for %s: %w", arch, err)
		}
		agreed, err := agree(table, version, arch, wanted, found)
		fmt.Fprintf(os.Stderr, "  %s: %d of %d fields are there and agree\n", arch, agreed, len(wanted))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func compile(ctx context.Context, work, root, version string, arch model.Arch) (string, error) {
	minor := fmt.Sprintf("1.%d", number(version, 1)) // as go.mod of Go up to 1.20 wants it
	for name, content := range map[string]string{"main.go": program, "go.mod": "module program\n\ngo " + minor + "\n"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	executable := filepath.Join(work, string(arch))
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", "go"), "build", "-o", executable, ".")
	command.Dir = work
	command.Env = append(toolchainEnvironment(root, arch), "GOCACHE="+filepath.Join(work, "cache"))
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile for %s: %w\n%s", arch, err, strings.TrimSpace(string(output)))
	}
	return executable, nil
}

// agree compares every field, and counts those that exist and agree. A struct
// that the debug information does not describe is one that does not exist.
func agree(table *offsets.Table, version string, arch model.Arch, wanted []model.Field, found structs) (int, error) {
	var errs []error
	agreed := 0
	for _, field := range wanted {
		offset, exists, known := table.Lookup(field.Module, version, arch, field)
		compiled, there := found[field.Package+"."+field.Struct][field.Field]
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("%s on %s: the table does not know it", field, arch))
		case exists != there:
			errs = append(errs, fmt.Errorf("%s on %s: it exists in the table: %v, in the compiled program: %v", field, arch, exists, there))
		case exists && offset != uint64(compiled):
			errs = append(errs, fmt.Errorf("%s on %s: the table says %d, the compiler %d", field, arch, offset, compiled))
		case exists:
			agreed++
		}
	}
	return agreed, errors.Join(errs...)
}
