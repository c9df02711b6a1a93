package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/offsets"
)

// check compares the part of the table with what compilers made of the same structs.
func (t task) check(ctx context.Context, part []byte, examined []release) error {
	table, err := offsets.Parse(bytes.NewReader(part))
	if err != nil {
		return err
	}
	var errs []error
	versions := besideChanges(examined, t.wanted)
	for i, version := range versions {
		found, err := t.cache.loadCompiled(version, t.rule.Programs)
		if err == nil && found == nil {
			fmt.Fprintf(t.progress, "[%d/%d] compile with %s\n", i+1, len(versions),
				nameOf(t.module, version))
			found, err = t.compile(ctx, version)
			if err == nil {
				err = t.cache.storeCompiled(version, found)
			}
		}
		if err == nil {
			err = agree(table, version, t.wanted, found.Found)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", nameOf(t.module, version), err)
			fmt.Fprintln(t.progress, err)
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if errs == nil {
		fmt.Fprintf(t.progress,
			"%s: compilers agree, with the %d of %d releases that are beside changes\n", t.module,
			len(versions), len(examined))
	}
	return errors.Join(errs...)
}

// besideChanges lists the first and the last release, and those on both sides of
// each change of a layout.
func besideChanges(releases []release, wanted []model.Field) []string {
	var versions []string
	for i, r := range releases {
		if i == 0 || i == len(releases)-1 || differ(releases[i-1], r, wanted) ||
			differ(r, releases[i+1], wanted) {
			versions = append(versions, r.version)
		}
	}
	return versions
}

func differ(a, b release, wanted []model.Field) bool {
	for _, field := range wanted {
		if !isFunction(field) &&
			describe(a.layout[field.String()]) != describe(b.layout[field.String()]) {
			return true
		}
	}
	return false
}

// compile reads what compilers make of the wanted structs in one release.
func (t task) compile(ctx context.Context, version string) (*compiled, error) {
	names := structsOf(t.wanted)
	found, err := t.from.compile(ctx, version, names)
	if err != nil {
		return nil, err
	}
	return &compiled{t.rule.Programs, names, found}, nil
}

// agree compares every field. A struct that the debug information does not describe
// is one that does not exist.
func agree(
	table *offsets.Table, version string, wanted []model.Field, found map[model.Arch]structs,
) error {
	var errs []error
	for _, field := range wanted {
		if isFunction(field) {
			continue // debug information has no functions that were inlined, or are not called
		}
		for _, arch := range architectures {
			offset, exists, known := table.Lookup(field.Module, version, arch, field)
			compiled, there := found[arch][structOf(field)][field.Field]
			switch {
			case !known:
				errs = append(errs, fmt.Errorf("%s on %s: the table does not know it", field, arch))
			case exists != there:
				errs = append(
					errs,
					fmt.Errorf("%s on %s: it exists in the table: %v, in the compiled program: %v",
						field, arch, exists, there),
				)
			case exists && offset != uint64(compiled):
				errs = append(
					errs,
					fmt.Errorf("%s on %s: the table says %d, the compiler %d", field, arch, offset,
						compiled),
				)
			}
		}
	}
	return errors.Join(errs...)
}

// isFunction tells a function of a module from a field of a struct.
func isFunction(field model.Field) bool { return strings.HasSuffix(field.Field, "()") }
