package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
)

// release is one version and what was found in it.
type release struct {
	version string
	layout  layout
}

// versionsPerLine keeps the list of examined versions readable.
const versionsPerLine = 12

// render writes the table of releases in ascending order, in the format of
// offsets.Parse. A field that no release has, or whose kind changes from one to
// the next, is an error: the programs would read something else.
func render(releases []release, wanted []model.Field, made time.Time) ([]byte, error) {
	var b bytes.Buffer
	var errs []error
	fmt.Fprintf(&b, "# Made by offsets/cmd/offsetgen. The format is that of offsets.Parse.\nmade %s\nmodule %s\n", made.UTC().Format(time.DateOnly), model.ModuleStd)
	for i, r := range releases {
		if i%versionsPerLine == 0 {
			b.WriteString("examined")
		}
		b.WriteString(" " + r.version)
		if i%versionsPerLine == versionsPerLine-1 || i == len(releases)-1 {
			b.WriteByte('\n')
		}
	}
	for _, field := range wanted {
		name := field.String()
		fmt.Fprintln(&b, name)
		last, kind, ever := "", "", false
		for _, r := range releases {
			places := r.layout[name]
			if now := places[model.AMD64].Kind; now != "" {
				ever = true
				if kind != "" && kind != now {
					errs = append(errs, fmt.Errorf("%s was a %s and is a %s from Go %s on", name, kind, now, r.version))
				}
				kind = now
			}
			if line := describe(places); line != last {
				fmt.Fprintf(&b, "  %s %s\n", r.version, line)
				last = line
			}
		}
		if !ever {
			errs = append(errs, fmt.Errorf("%s is in none of the releases", name))
		}
	}
	return b.Bytes(), errors.Join(errs...)
}

// describe writes where a field is in one release.
func describe(places map[model.Arch]place) string {
	amd64, arm64 := places[model.AMD64], places[model.ARM64]
	switch {
	case !amd64.Exists && !arm64.Exists:
		return "-"
	case amd64.Exists && arm64.Exists && amd64.Offset == arm64.Offset:
		return fmt.Sprint(amd64.Offset)
	case !arm64.Exists:
		return fmt.Sprintf("%s=%d", model.AMD64, amd64.Offset)
	case !amd64.Exists:
		return fmt.Sprintf("%s=%d", model.ARM64, arm64.Offset)
	}
	return fmt.Sprintf("%s=%d %s=%d", model.AMD64, amd64.Offset, model.ARM64, arm64.Offset)
}
