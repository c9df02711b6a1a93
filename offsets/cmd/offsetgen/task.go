package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// generator makes tables.
type generator struct {
	wanted   map[string][]model.Field // by module
	rules    map[string]probe.Rule
	originOf func(module string, r probe.Rule) origin
	folder   string // in which it is kept what was found
	progress io.Writer
}

// run makes the parts of some modules, or of all if none is named.
func (g generator) run(ctx context.Context, output string, modules []string, compare bool) error {
	table := parts{}
	if modules == nil {
		modules = inOrder(g.wanted)
	} else {
		kept, err := readParts(output)
		if err != nil {
			return err
		}
		table = kept
	}
	// An error of one module does not keep the others from being examined.
	var errs []error
	for _, module := range modules {
		t, err := g.task(module)
		if err == nil {
			table[module], err = t.makePart(ctx, compare)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return writeIfChanged(output, table.join(time.Now()))
}

// task is the work on one module's part of the table.
type task struct {
	module   string
	rule     probe.Rule
	wanted   []model.Field
	from     origin
	cache    cache
	progress io.Writer
}

// task makes the task of a module, for which there must be a rule.
func (g generator) task(module string) (task, error) {
	r, ok := g.rules[module]
	if !ok {
		return task{}, fmt.Errorf("no rule says which versions of %s to examine", module)
	}
	wanted := g.wanted[module]
	if len(wanted) == 0 {
		return task{}, fmt.Errorf("no library needs a field of %s", module)
	}
	cache, err := openCache(g.folder, module, wanted)
	return task{module, r, wanted, g.originOf(module, r), cache, g.progress}, err
}

// makePart makes the part, and compares it with what compilers made of the structs.
func (t task) makePart(ctx context.Context, compare bool) ([]byte, error) {
	examined, missing, err := t.examineAll(ctx)
	if err != nil {
		return nil, err
	}
	part, err := render(t.module, examined, missing, t.wanted)
	if err := errors.Join(err, t.disappearances(examined)); err != nil {
		return nil, err
	}
	if compare {
		return part, t.check(ctx, part, examined)
	}
	return part, nil
}

// examineAll finds the fields in each version, and lists those that are not to be had.
func (t task) examineAll(ctx context.Context) (examined []release, missing []string, err error) {
	versions, err := t.from.versions(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list the versions of %s: %w", t.module, err)
	}
	for i, version := range versions {
		layout, err := t.cache.load(version)
		if err == nil && layout == nil {
			fmt.Fprintf(t.progress, "[%d/%d] %s\n", i+1, len(versions), nameOf(t.module, version))
			layout, err = t.from.examine(ctx, version, t.wanted)
			if errors.Is(err, errUnavailable) {
				fmt.Fprintf(t.progress, "  %v\n", err)
				missing = append(missing, version)
				continue
			}
			if err == nil {
				err = t.cache.store(version, layout)
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", nameOf(t.module, version), err)
		}
		examined = append(examined, release{version, layout})
	}
	return examined, missing, nil
}
