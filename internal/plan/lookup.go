package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Table answers from tables made of released versions. known is false for a
// version that it does not cover.
type Table func(module, version string, arch model.Arch, field model.Field) (offset uint64, exists, known bool)

// DWARF answers from the debug information of one binary.
type DWARF func(model.Field) (offset uint64, exists bool, err error)

// Lookup asks the table for exactly the version that the binary was built with,
// and then the binary's own debug information.
func Lookup(b *model.Binary, table Table, dwarf DWARF) model.FieldLookup {
	return func(field model.Field) (model.FieldOffset, error) {
		version, err := moduleVersion(b, field.Module)
		if err == nil {
			if offset, exists, known := table(field.Module, version, b.Arch, field); known {
				return model.FieldOffset{Offset: offset, Exists: exists, Source: model.SourceTable}, nil
			}
			err = fmt.Errorf("the tables do not cover %s %s", field.Module, version)
		}
		offset, exists, dwarfErr := dwarf(field)
		if dwarfErr != nil {
			return model.FieldOffset{}, fmt.Errorf("%w, and %w", err, dwarfErr)
		}
		return model.FieldOffset{Offset: offset, Exists: exists, Source: model.SourceDWARF}, nil
	}
}

// moduleVersion says which version of a module was compiled into a binary, if
// it is one that its authors released. A module that was replaced is another one.
func moduleVersion(b *model.Binary, module string) (string, error) {
	if module == model.ModuleStd {
		// "1.26.8 X:nocoverageredesign": the experiments follow the version.
		version, suffix, _ := strings.Cut(b.GoVersion, " ")
		if !released(version) || suffix != "" && !strings.HasPrefix(suffix, "X:") {
			return "", fmt.Errorf("the tables know the releases of Go, and %q is none", b.GoVersion)
		}
		return version, nil
	}
	if b.Main.Path == module {
		return exactVersion(b.Main)
	}
	for _, m := range b.Modules {
		if m.Path == module {
			return exactVersion(m)
		}
	}
	return "", fmt.Errorf("the build information does not name %s", module)
}

func exactVersion(m model.Module) (string, error) {
	switch {
	case m.Replace != "":
		return "", fmt.Errorf("%s is replaced by %s", m.Path, m.Replace)
	case m.Version == "" || m.Version == "(devel)":
		return "", fmt.Errorf("the build information has no version of %s", m.Path)
	}
	return m.Version, nil
}

// released tells whether a version of Go is one that the Go project released:
// "1.22.5", "1.23rc1", but not "1.22.5-custom".
func released(version string) bool {
	rest, ok := strings.CutPrefix(version, "1.")
	if !ok {
		return false
	}
	for _, mark := range []string{"rc", "beta"} {
		rest = strings.Replace(rest, mark, ".", 1)
	}
	numbers := strings.Split(rest, ".")
	if len(numbers) > 2 {
		return false
	}
	for _, number := range numbers {
		if _, err := strconv.ParseUint(number, 10, 16); err != nil {
			return false
		}
	}
	return true
}
