package plan

import (
	"errors"
	"fmt"
	"go/version"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// Table answers from tables made of released versions.
type Table interface {
	// Lookup answers for one version. known is false for one that the table does not cover.
	Lookup(module, version string, arch model.Arch, field model.Field) (
		offset uint64, exists, known bool)
	// Candidates answers for all versions of a module that have what is present. agreed is false if
	// there are none, or if they do not say the same.
	Candidates(module string, arch model.Arch, field model.Field, present []model.Field) (
		offset uint64, exists, agreed bool)
	// Extent is the newest version of a module that the table covers, "" if it covers none, and the
	// day on which it was made.
	Extent(module string) (newest, made string)
}

// DWARF answers from the debug information of one binary.
type DWARF func(model.Field) (offset uint64, exists bool, err error)

// Lookup asks the table for exactly the version that the binary was built with, then the binary's
// own debug information. Last, if nobody says which version it was built with, it asks for all
// versions that have what the binary has of the marks.
func Lookup(b *model.Binary, marks []probe.Mark, table Table, dwarf DWARF) model.FieldLookup {
	present := map[string][]model.Field{}
	for _, mark := range marks {
		if has(b, mark.Symbol()) {
			present[mark.Module] = append(present[mark.Module], mark.Field())
		}
	}
	return func(field model.Field) (model.FieldOffset, error) {
		release, err := moduleVersion(b, field.Module)
		unsaid := errors.Is(err, errUnsaid)
		if err == nil {
			offset, exists, known := table.Lookup(field.Module, release, b.Arch, field)
			if known {
				return model.FieldOffset{
					Offset: offset, Exists: exists, Source: model.SourceTable,
				}, nil
			}
			err = notCovered(table, field.Module, release)
		} else if errors.Is(err, errNoRelease) {
			newest, made := table.Extent(model.ModuleStd)
			err = fmt.Errorf("the tables of %s know the releases of Go up to %s, and %w", made,
				newest, err)
		}
		offset, exists, dwarfErr := dwarf(field)
		if dwarfErr == nil {
			return model.FieldOffset{Offset: offset, Exists: exists, Source: model.SourceDWARF}, nil
		}
		if unsaid {
			offset, exists, agreed := table.Candidates(field.Module, b.Arch, field,
				present[field.Module])
			if agreed {
				return model.FieldOffset{
					Offset: offset, Exists: exists, Source: model.SourceCandidates,
				}, nil
			}
			dwarfErr = fmt.Errorf("%w, and the versions that it may be do not agree", dwarfErr)
		}
		return model.FieldOffset{}, fmt.Errorf("%w, and %w", err, dwarfErr)
	}
}

// notCovered says of which version of a module the table knows nothing, and how far it goes.
func notCovered(table Table, module, release string) error {
	name := module
	if module == model.ModuleStd {
		name = "Go"
	}
	newest, made := table.Extent(module)
	if newest == "" {
		return fmt.Errorf("the tables do not cover %s", name)
	}
	return fmt.Errorf("the tables do not cover %s %s: those of %s know it up to %s", name, release,
		made, newest)
}

var (
	// errUnsaid says that nobody has written down which version of a module a binary has:
	// distributions build without.
	errUnsaid    = errors.New("the build information has no version of it")
	errNoRelease = errors.New("is none")
)

// moduleVersion says which version of a module was compiled into a binary, if its authors released
// that. A module that was replaced is another one.
func moduleVersion(b *model.Binary, module string) (string, error) {
	if module == model.ModuleStd {
		release, _ := splitExperiments(b.GoVersion)
		if !released(release) {
			return "", fmt.Errorf("%q %w", b.GoVersion, errNoRelease)
		}
		return release, nil
	}
	if b.Main.Path == module {
		return exactVersion(b.Main)
	}
	for _, m := range b.Modules {
		if m.Path == module {
			return exactVersion(m)
		}
	}
	return "", fmt.Errorf("%s: %w", module, errUnsaid)
}

func exactVersion(m model.Module) (string, error) {
	switch {
	case m.Replace != "":
		return "", fmt.Errorf("%s is replaced by %s", m.Path, m.Replace)
	case m.Version == "":
		return "", fmt.Errorf("%s: %w", m.Path, errUnsaid)
	case m.Version == "(devel)":
		return "", fmt.Errorf("%s was built from a checkout, which may be of no version", m.Path)
	}
	return m.Version, nil
}

// released tells whether a version of Go is one that the Go project released: "1.22.5", "1.23rc1",
// but not "1.22.5-custom".
func released(goVersion string) bool {
	return version.IsValid("go"+goVersion) && !strings.Contains(goVersion, "-")
}
