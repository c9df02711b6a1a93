// Command offsetgen makes the offset table from the sources of every release
// of Go that the module proxy offers. What it found in a release it keeps in the
// user's cache, so that a run with nothing new takes seconds and one that was
// cut off goes on where it was. With -check the table is written only if it
// agrees with what compilers did.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/model"
)

func main() {
	output := flag.String("o", "table.txt", "file to write the table to")
	oldest := flag.Int("oldest", 17, "oldest minor release of Go 1 to examine")
	compare := flag.Bool("check", false, "compile a program with the releases on both sides of every change, and compare the table with its debug information")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *output, *oldest, *compare)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "offsetgen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, output string, oldest int, compare bool) error {
	wanted := wantedFields()
	releases, err := listReleases(ctx, oldest)
	if err != nil {
		return err
	}
	cache, err := openCache(wanted)
	if err != nil {
		return err
	}
	var examined []release
	var missing []string
	for i, version := range releases {
		layout, err := cache.load(version)
		if err == nil && layout == nil {
			fmt.Fprintf(os.Stderr, "[%d/%d] go%s\n", i+1, len(releases), version)
			layout, err = examine(ctx, version, wanted)
			if errors.Is(err, errUnavailable) {
				missing = append(missing, version)
				continue
			}
			if err == nil {
				err = cache.store(version, layout)
			}
		}
		if err != nil {
			return fmt.Errorf("go%s: %w", version, err)
		}
		examined = append(examined, release{version, layout})
	}
	if missing != nil {
		fmt.Fprintln(os.Stderr, "listed, but not to be had:", strings.Join(missing, " "))
	}
	table, err := render(examined, wanted, time.Now())
	if err != nil {
		return err
	}
	for _, gone := range disappearances(examined, wanted) {
		fmt.Fprintln(os.Stderr, gone)
	}
	if compare {
		if err := check(ctx, table, examined, wanted); err != nil {
			return err
		}
	}
	return writeIfChanged(output, table)
}

// wantedFields lists, sorted, what the libraries need of the standard library.
// What is no field of a struct in its sources follows from the version alone.
func wantedFields() []model.Field {
	seen := map[model.Field]bool{}
	for _, library := range all.Libraries() {
		for _, field := range library.Fields {
			if field.Module == model.ModuleStd && (field.Package != "runtime" || field.Struct != "map") {
				seen[field.Field] = true
			}
		}
	}
	fields := make([]model.Field, 0, len(seen))
	for field := range seen {
		fields = append(fields, field)
	}
	slices.SortFunc(fields, func(a, b model.Field) int { return strings.Compare(a.String(), b.String()) })
	return fields
}

// examine finds the layouts in one release.
func examine(ctx context.Context, version string, wanted []model.Field) (layout, error) {
	root, done, err := fetch(ctx, version)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := done(); err != nil {
			fmt.Fprintln(os.Stderr, "offsetgen: clean up:", err)
		}
	}()
	found := layout{}
	for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
		tags, err := toolTags(ctx, root, arch)
		if err != nil {
			return nil, err
		}
		checker := newChecker(root, version, arch, tags)
		for _, field := range wanted {
			at, err := checker.field(field)
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", field, arch, err)
			}
			if found[field.String()] == nil {
				found[field.String()] = map[model.Arch]place{}
			}
			found[field.String()][arch] = at
		}
	}
	return found, nil
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

// localVersion is the version of the toolchain that runs this.
func localVersion() string { return strings.TrimPrefix(runtime.Version(), "go") }
