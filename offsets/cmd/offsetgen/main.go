// Command offsetgen makes the offset table from the sources of every release that
// the module proxy offers of Go, and of the modules of which libraries need
// fields. What it found in a release it keeps in the user's cache, so that a run
// with nothing new takes seconds and one that was cut off goes on where it was.
// With -module it makes the parts of some modules again and leaves the others as
// they are. With -check the table is written only if it agrees with what
// compilers did.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

func main() {
	output := flag.String("o", "table.txt", "file to write the table to")
	compare := flag.Bool("check", false, "compile a program with the releases on both sides of every change, and compare the table with its debug information")
	var modules []string
	flag.Func("module", "path of a module whose part of the table is made, std for Go; several have commas, or flags of their own (default all)", func(paths string) error {
		modules = append(modules, strings.Split(paths, ",")...)
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *output, modules, *compare)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "offsetgen:", err)
		os.Exit(1)
	}
}

// run makes the parts of some modules, or of all if none is named.
func run(ctx context.Context, output string, modules []string, compare bool) error {
	wanted := wantedFields()
	table := parts{}
	if modules == nil {
		modules = inOrder(wanted)
	} else {
		kept, err := readParts(output)
		if err != nil {
			return err
		}
		table = kept
	}
	for _, module := range modules {
		part, err := makePart(ctx, module, wanted[module], compare)
		if err != nil {
			return err
		}
		table[module] = part
	}
	return writeIfChanged(output, table.join(time.Now()))
}

// makePart makes one module's part of the table.
func makePart(ctx context.Context, module string, wanted []model.Field, compare bool) ([]byte, error) {
	if len(wanted) == 0 {
		return nil, fmt.Errorf("no library needs a field of %s", module)
	}
	examined, err := examineAll(ctx, module, wanted)
	if err != nil {
		return nil, err
	}
	part, err := render(module, examined, wanted)
	if err != nil {
		return nil, err
	}
	for _, gone := range disappearances(module, examined, wanted) {
		fmt.Fprintln(os.Stderr, gone)
	}
	if compare {
		return part, check(ctx, module, part, examined, wanted)
	}
	return part, nil
}

// wantedFields lists, sorted and by module, what is needed.
func wantedFields() map[string][]model.Field {
	byModule := map[string][]model.Field{}
	for _, f := range probe.Fields(all.Libraries()) {
		if probe.InTable(f) {
			byModule[f.Module] = append(byModule[f.Module], f)
		}
	}
	for _, fields := range byModule {
		slices.SortFunc(fields, func(a, b model.Field) int { return strings.Compare(a.String(), b.String()) })
	}
	return byModule
}

// examineAll finds the fields of a module in each of its versions.
func examineAll(ctx context.Context, module string, wanted []model.Field) ([]release, error) {
	r, ok := rules[module]
	if !ok {
		return nil, fmt.Errorf("no rule says which versions of %s to examine", module)
	}
	from := originOf(module, r)
	versions, err := from.versions(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the versions of %s: %w", module, err)
	}
	folder, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	cache, err := openCache(folder, module, wanted)
	if err != nil {
		return nil, err
	}
	var examined []release
	var missing []string
	for i, version := range versions {
		layout, err := cache.load(version)
		if err == nil && layout == nil {
			fmt.Fprintf(os.Stderr, "[%d/%d] %s\n", i+1, len(versions), nameOf(module, version))
			layout, err = from.examine(ctx, version, wanted)
			if errors.Is(err, errUnavailable) {
				missing = append(missing, version)
				continue
			}
			if err == nil {
				err = cache.store(version, layout)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", nameOf(module, version), err)
		}
		examined = append(examined, release{version, layout})
	}
	if missing != nil {
		fmt.Fprintf(os.Stderr, "%s: listed, but not to be had: %s\n", module, strings.Join(missing, " "))
	}
	return examined, nil
}
