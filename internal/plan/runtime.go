package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// The oldest minor releases of Go 1 that pass arguments in registers, which is
// what the programs read: src/internal/buildcfg/exp.go (Go 1.17 and 1.18),
// regabiSupported.
const (
	oldestAMD64 = 17
	oldestARM64 = 18
)

// checkABI refuses binaries whose functions pass their arguments on the stack.
func checkABI(b *model.Binary) error {
	oldest := oldestAMD64
	if b.Arch == model.ARM64 {
		oldest = oldestARM64
	}
	if minor, ok := goMinor(b.GoVersion); ok && minor < oldest {
		return fmt.Errorf("it was built with Go %s, which passes arguments on the stack; the oldest supported on %s is Go 1.%d, which uses registers", b.GoVersion, b.Arch, oldest)
	}
	for _, experiment := range experiments(b) {
		// Experiments that are on by default are named only when they are off.
		if strings.HasPrefix(experiment, "noregabi") {
			return fmt.Errorf("it was built with GOEXPERIMENT=%s, and passes arguments on the stack", experiment)
		}
	}
	return nil
}

// Layouts of maps, as bpf/include/gomap.h numbers them.
const (
	mapClassic = 1 // hash buckets with overflow chains
	mapSwiss   = 2 // groups of eight interleaved slots
)

// firstSwiss is the minor release of Go 1 in which maps became Swiss tables;
// up to Go 1.25 an experiment could turn that off.
const (
	firstSwiss     = 24
	lastNoSwissMap = 25
	lastKnownMap   = 27
)

// mapLayout follows from the version of Go and its experiments
// (src/internal/buildcfg/exp.go, src/internal/goexperiment/flags.go). Of a Go that is
// newer than those that were looked at, or whose experiments nobody has written down,
// the debug information must describe it.
func mapLayout(b *model.Binary, lookup model.FieldLookup) (uint64, error) {
	minor, ok := goMinor(b.GoVersion)
	if !ok || minor > lastKnownMap || b.NoBuildInfo && minor >= firstSwiss {
		if answer, err := lookup(probe.HeaderSlots); err == nil && answer.Exists {
			return mapSwiss, nil
		}
		return 0, fmt.Errorf("the layout of maps is not known for Go %s", b.GoVersion)
	}
	on := experiments(b)
	switch {
	case minor < firstSwiss:
		return mapClassic, nil
	case minor <= lastNoSwissMap && slices.Contains(on, "noswissmap"):
		return mapClassic, nil
	case slices.Contains(on, "mapsplitgroup"): // src/internal/runtime/maps/group.go, Go 1.27
		return 0, fmt.Errorf("maps of GOEXPERIMENT=mapsplitgroup are not supported")
	}
	return mapSwiss, nil
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
func splitExperiments(goVersion string) (version, experiments string) {
	for _, separator := range []string{" X:", "-X:"} {
		if version, experiments, found := strings.Cut(goVersion, separator); found {
			return version, experiments
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
		return layout == mapSwiss
	case field.Package == "internal/runtime/maps":
		return layout == mapClassic
	}
	return false
}

// typesAt reads where a binary's types are, given the place of that in moduledata.
func typesAt(b *model.Binary, at model.FieldOffset) (model.FieldOffset, error) {
	if at.Offset%8 != 0 || at.Offset/8 >= uint64(len(b.Moduledata)) {
		return model.FieldOffset{}, errors.New("runtime.moduledata, which says where the types are, cannot be found")
	}
	at.Offset = uint64(distance(b, b.Moduledata[at.Offset/8]))
	at.Exists = at.Offset != uint64(probe.Absent)
	return at, nil
}

// typeAddress is where a type is described.
func typeAddress(b *model.Binary, name string, lookup model.FieldLookup, types model.TypeLookup) (uint64, error) {
	begin, err := resolve(b, probe.ModuleTypes, lookup)
	if err != nil {
		return 0, err
	}
	if !begin.Exists {
		return 0, errors.New("it is not known where the types are")
	}
	return types(b.Text+begin.Offset, name)
}

// goMinor gives the minor number of a version of Go 1: 26 for "1.26.8" and for
// "1.26rc1 X:noswissmap".
func goMinor(version string) (int, bool) {
	rest, ok := strings.CutPrefix(version, "1.")
	if !ok {
		return 0, false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	minor, err := strconv.Atoi(rest[:end])
	return minor, err == nil
}
