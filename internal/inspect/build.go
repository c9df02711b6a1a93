package inspect

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"strings"
)

// The debug information names the compiler of a package: its version, and behind
// a semicolon, which no version has, its flags. src/cmd/link/internal/ld/dwarf.go
// (DW_AT_producer) and src/cmd/compile/internal/dwarfgen/dwarf.go, RecordFlags (Go 1.17
// to 1.27).
const (
	compiler = "Go cmd/compile "
	// passesInRegisters is among the flags where arguments are in registers.
	passesInRegisters = "regabi"
)

// build reads how the executable was built. recorded is false if it has no build
// information: then nothing is known but the version of Go.
func (f *File) build() (info *buildinfo.BuildInfo, recorded bool, err error) {
	info, err = buildinfo.Read(&meter{reader: f.reader, left: maxBuildInfo, largest: maxString})
	if err == nil {
		if !isVersion(info.GoVersion) {
			return nil, false, fmt.Errorf(
				"%w: what its build information has is no version of Go: %.40q", ErrUnsupported,
				info.GoVersion,
			)
		}
		return info, true, nil
	}
	// Some linkers leave it to the relocations of a position-independent
	// executable of Go 1.17, where it consists of pointers.
	version, dwarfErr := f.compiledBy()
	if dwarfErr != nil {
		return nil, false, fmt.Errorf(
			"%w: a Go executable whose build information cannot be read (%s), and whose debug information does not say which Go compiled it (%w); leave it one of the two to have it traced",
			ErrUnsupported,
			text(err.Error()),
			dwarfErr,
		)
	}
	return &buildinfo.BuildInfo{GoVersion: version}, false, nil
}

// compiledBy says which Go has compiled package runtime, as the debug information has it.
func (f *File) compiledBy() (version string, err error) {
	found := false
	err = f.eachUnit("runtime", func(d *debugInfo) (more bool, err error) {
		producer, isGo := strings.CutPrefix(d.producer, compiler)
		if !isGo {
			return true, nil
		}
		found = true
		var flags string
		version, flags, _ = strings.Cut(producer, ";")
		switch {
		case !isVersion(version) ||
			!strings.HasPrefix(version, "go1.") && !strings.HasPrefix(version, "devel "):
			return false, fmt.Errorf("%.40q is no version of Go", version)
		case !strings.Contains(" "+flags+" ", " "+passesInRegisters+" "):
			return false, fmt.Errorf("it says that %s passed arguments on the stack", text(version))
		}
		return false, nil
	})
	if err == nil && !found {
		err = errors.New("it has no package runtime that Go compiled")
	}
	return text(version), err
}

// isVersion tells whether a text may be a version of Go, with its experiments.
func isVersion(s string) bool {
	return len(s) <= maxVersion &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
