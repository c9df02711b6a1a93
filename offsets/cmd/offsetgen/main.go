// Command offsetgen makes the offset table from the sources of every release that the module proxy
// offers of Go, and of the modules of which libraries need fields. The libraries' rules say which
// releases (probe.Rule). The command keeps in the user's cache what it found in a release: a run
// with nothing new takes seconds, and a run that was cut off goes on where it was. With -module it
// makes the parts of some modules again and leaves the others as they are. With -check it writes
// the table only if that agrees with what compilers made of the releases on both sides of every
// change, which the cache keeps as well.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

func main() {
	output := flag.String("o", "table.txt", "file to write the table to")
	compare := flag.Bool("check", false, "compile a program with the releases on both sides of "+
		"every change, and compare the table with its debug information")
	var modules []string
	flag.Func("module", "path of a module whose part of the table is made, std for Go; "+
		"several have commas, or flags of their own (default all)", func(paths string) error {
		modules = append(modules, strings.Split(paths, ",")...)
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := generate(ctx, *output, modules, *compare)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "offsetgen:", err)
		os.Exit(1)
	}
}

func generate(ctx context.Context, output string, modules []string, compare bool) error {
	folder, err := cacheFolder()
	if err != nil {
		return err
	}
	rules, err := all.Rules()
	if err != nil {
		return err
	}
	g := generator{wantedFields(), rules, originOf, folder, os.Stderr}
	return g.run(ctx, output, modules, compare)
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
		slices.SortFunc(
			fields, func(a, b model.Field) int { return strings.Compare(a.String(), b.String()) },
		)
	}
	return byModule
}
