package main

import (
	"context"
	"fmt"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// architectures are those that the table is made for.
var architectures = []model.Arch{model.AMD64, model.ARM64}

// origin is where the releases of one module come from.
type origin interface {
	// versions lists those to examine, ascending.
	versions(ctx context.Context) ([]string, error)
	// examine finds fields in the sources of one; errUnavailable says that it
	// is listed and not to be had.
	examine(ctx context.Context, version string, wanted []model.Field) (layout, error)
	// compile says what compilers make of structs in one.
	compile(ctx context.Context, version string, names []string) (map[model.Arch]structs, error)
}

// originOf is the origin of a module for which there is a rule.
func originOf(module string, r probe.Rule) origin {
	if module == model.ModuleStd {
		return toolchains{r}
	}
	return moduleReleases{module, r, map[model.Arch]*checker{}}
}

// nameOf names a version for people.
func nameOf(module, version string) string {
	if module == model.ModuleStd {
		return "go" + version
	}
	return module + "@" + version
}

// layoutOf asks a checker for each architecture.
func layoutOf(wanted []model.Field, checkerFor func(model.Arch) (*checker, error)) (layout, error) {
	found := layout{}
	for _, field := range wanted {
		found[field.String()] = map[model.Arch]place{}
	}
	for _, arch := range architectures {
		checker, err := checkerFor(arch)
		if err != nil {
			return nil, err
		}
		for _, field := range wanted {
			at, err := checker.field(field)
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", field, arch, err)
			}
			found[field.String()][arch] = at
		}
	}
	return found, nil
}
