package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/offsets"
)

// check compares a module's part of the table with what compilers made of the
// same structs.
func check(ctx context.Context, module string, text []byte, examined []release, wanted []model.Field) error {
	table, err := offsets.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	var errs []error
	versions := besideChanges(examined, wanted)
	for i, version := range versions {
		fmt.Fprintf(os.Stderr, "[%d/%d] compile with %s\n", i+1, len(versions), nameOf(module, version))
		if err := checkRelease(ctx, table, originOf(module, rules[module]), version, wanted); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", nameOf(module, version), err))
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

func checkRelease(ctx context.Context, table *offsets.Table, from origin, version string, wanted []model.Field) (err error) {
	work, err := os.MkdirTemp("", "offsetgen-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll(work)) }()
	executables, err := from.compile(ctx, work, version)
	if err != nil {
		return err
	}
	var errs []error
	for _, arch := range architectures {
		found, err := readStructs(executables[arch], wanted)
		if err != nil {
			return fmt.Errorf("debug information for %s: %w", arch, err)
		}
		agreed, err := agree(table, version, arch, wanted, found)
		fmt.Fprintf(os.Stderr, "  %s: %d of %d fields are there and agree\n", arch, agreed, len(wanted))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// agree compares every field, and counts those that exist and agree. A struct
// that the debug information does not describe is one that does not exist.
func agree(table *offsets.Table, version string, arch model.Arch, wanted []model.Field, found structs) (int, error) {
	var errs []error
	agreed := 0
	for _, field := range wanted {
		if strings.HasSuffix(field.Field, "()") {
			continue // debug information has no functions that were inlined, or are not called
		}
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
