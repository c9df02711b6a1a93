package plan

import (
	"errors"
	"fmt"
	"go/version"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// The oldest versions of Go that pass arguments in registers, where the programs read them:
// src/internal/buildcfg/exp.go (Go 1.17 and 1.18), regabiSupported.
const (
	oldestAMD64 = "go1.17"
	oldestARM64 = "go1.18"
)

// checkABI refuses binaries whose functions pass their arguments on the stack.
func checkABI(b *model.Binary) error {
	oldest := oldestAMD64
	if b.Arch == model.ARM64 {
		oldest = oldestARM64
	}
	if language := languageOf(b.GoVersion); language != "" && isBefore(language, oldest) {
		return fmt.Errorf("it was built with Go %s, which passes arguments on the stack; "+
			"the oldest supported on %s is Go %s, which uses registers", b.GoVersion, b.Arch,
			strings.TrimPrefix(oldest, "go"))
	}
	for _, experiment := range experiments(b) {
		// Experiments that are on by default are named only when they are off.
		if strings.HasPrefix(experiment, "noregabi") {
			return fmt.Errorf(
				"it was built with GOEXPERIMENT=%s, and passes arguments on the stack", experiment)
		}
	}
	return nil
}

// firstSwiss is the version of Go in which maps became Swiss tables; up to Go 1.25 an experiment
// could turn that off.
const (
	firstSwiss     = "go1.24"
	lastNoSwissMap = "go1.25"
	lastKnownMap   = "go1.27"
)

// mapLayout follows from the version of Go and its experiments (src/internal/buildcfg/exp.go,
// src/internal/goexperiment/flags.go). Of a Go that is newer than those that were looked at, or
// whose experiments nobody has written down, the debug information must describe it.
func mapLayout(b *model.Binary, lookup model.FieldLookup) (uint64, error) {
	language := languageOf(b.GoVersion)
	classic := isBefore(language, firstSwiss)
	if language == "" || isBefore(lastKnownMap, language) || b.NoBuildInfo && !classic {
		if answer, err := lookup(probe.HeaderSlots); err == nil && answer.Exists {
			return wire.MapSwiss, nil
		}
		return 0, fmt.Errorf("the layout of maps is not known for Go %s", b.GoVersion)
	}
	on := experiments(b)
	switch {
	case classic:
		return wire.MapClassic, nil
	case !isBefore(lastNoSwissMap, language) && slices.Contains(on, "noswissmap"):
		return wire.MapClassic, nil
	case slices.Contains(on, "mapsplitgroup"): // src/internal/runtime/maps/group.go, Go 1.27
		return 0, fmt.Errorf("maps of GOEXPERIMENT=mapsplitgroup are not supported")
	}
	return wire.MapSwiss, nil
}

// experiments lists the experiments that a binary was built with. The build
// settings name them (src/internal/buildcfg/exp.go), and so does the version where
// there are no settings.
func experiments(b *model.Binary) []string {
	_, of := splitExperiments(b.GoVersion)
	return append(strings.Split(b.Settings["GOEXPERIMENT"], ","), strings.Split(of, ",")...)
}

// splitExperiments takes the experiments off a version of Go: "1.25.1 X:noswissmap"
// up to Go 1.25, "1.26.8-X:nodwarf5" since (src/cmd/link/internal/ld/main.go).
func splitExperiments(goVersion string) (release, experiments string) {
	for _, separator := range []string{" X:", "-X:"} {
		if release, experiments, found := strings.Cut(goVersion, separator); found {
			return release, experiments
		}
	}
	return goVersion, ""
}

// otherMaps tells whether a field belongs to the layout of maps that the binary
// does not use.
func otherMaps(b *model.Binary, field model.Field, lookup model.FieldLookup) bool {
	if field.Module != model.ModuleStd {
		return false
	}
	layout, err := mapLayout(b, lookup)
	switch {
	case err != nil:
		return false
	case field.Package == "runtime" && (field.Struct == "hmap" || field.Struct == "bmap"):
		return layout == wire.MapSwiss
	case field.Package == "internal/runtime/maps":
		return layout == wire.MapClassic
	}
	return false
}

// typesAt reads where a binary's types are, given the place of that in moduledata.
func typesAt(b *model.Binary, at model.FieldOffset) (model.FieldOffset, error) {
	if at.Offset%8 != 0 || at.Offset/8 >= uint64(len(b.Moduledata)) {
		return model.FieldOffset{}, errors.New(
			"runtime.moduledata, which says where the types are, cannot be found")
	}
	at.Offset = uint64(distance(b, b.Moduledata[at.Offset/8]))
	at.Exists = at.Offset != uint64(probe.Absent)
	return at, nil
}

// typeAddress is where a type is described.
func (p *planner) typeAddress(t probe.Type) (uint64, error) {
	begin, err := p.resolve(probe.ModuleTypes)
	if err != nil {
		return 0, err
	}
	if !begin.Exists {
		return 0, errors.New("it is not known where the types are")
	}
	return p.types(p.binary.Text+begin.Offset, t.Package, t.Name)
}

// languageOf gives the language version of a version of Go, without what makers of distributions
// and experiments have put behind its numbers: "go1.26" for "1.26.8" and for "1.26rc1
// X:noswissmap". "": it has none.
func languageOf(goVersion string) string {
	other := func(r rune) bool { return r != '.' && (r < '0' || r > '9') }
	if end := strings.IndexFunc(goVersion, other); end >= 0 {
		goVersion = goVersion[:end]
	}
	return version.Lang("go" + strings.TrimRight(goVersion, "."))
}

func isBefore(language, other string) bool { return version.Compare(language, other) < 0 }
