package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
)

// accepts tells whether a rule is about a field that a version is the first to lack.
func accepts(g probe.Gone, field model.Field, version string) (bool, error) {
	reached, err := offsets.Releases([]string{version}, g.Since)
	named := slices.Contains(g.Fields, field.String()) || slices.Contains(g.Fields, structOf(field))
	return named && len(reached) > 0, err
}

// disappearances fails for every field that a release no longer has, unless the rule
// accepts it.
func (t task) disappearances(examined []release) error {
	var errs []error
	for _, field := range t.wanted {
		if isFunction(field) {
			continue // it tells versions apart by coming and going: probe.Mark
		}
		for i := 1; i < len(examined); i++ {
			errs = append(errs, t.disappearance(field, examined[i-1], examined[i]))
		}
	}
	return errors.Join(errs...)
}

// disappearance fails if a field was there before and is not now.
func (t task) disappearance(field model.Field, before, now release) error {
	var lost []string
	kind := ""
	for _, arch := range architectures {
		if had := before.layout[field.String()][arch]; had.Exists &&
			!now.layout[field.String()][arch].Exists {
			lost = append(lost, string(arch))
			kind = had.Kind
		}
	}
	if lost == nil {
		return nil
	}
	for _, gone := range t.rule.Gone {
		if accepted, err := accepts(gone, field, now.version); accepted || err != nil {
			return err
		}
	}
	instead := "nothing that libraries read has come in its place"
	if came := t.arrivals(field, kind, before, now); came != nil {
		instead = "what has come and may be in its place: " + strings.Join(came, ", ")
	}
	return fmt.Errorf(
		"%s (%s) is gone from %s on %s, and was in %s; %s. If libraries know what to "+
			"read now, the Gone of a library's rule must say so",
		field,
		kind,
		nameOf(t.module, now.version),
		strings.Join(lost, " and "),
		before.version,
		instead,
	)
}

// arrivals are the wanted fields that a release is the first to have and that look
// like one that it lacks: by their name, or in its struct by their kind.
func (t task) arrivals(lost model.Field, kind string, before, now release) []string {
	var came []string
	for _, field := range t.wanted {
		for _, arch := range architectures {
			at := now.layout[field.String()][arch]
			alike := strings.EqualFold(bareName(field), bareName(lost)) ||
				structOf(field) == structOf(lost) && asRead(at.Kind) == asRead(kind)
			if at.Exists && !before.layout[field.String()][arch].Exists && alike {
				came = append(came, field.String())
				break
			}
		}
	}
	return came
}

// bareName is a field's name without what marks a pointer, and an unexported one.
func bareName(field model.Field) string { return strings.TrimLeft(field.Field, "*_") }
