// Package offsets checks the offset table against what compilers did.
package offsets

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
)

// compared tells of the fields that the table is made for: those of the standard
// library, but for what follows from the version and no debug information
// describes.
func compared(field model.Field) bool {
	return field.Module == model.ModuleStd && (field.Package != "runtime" || field.Struct != "map")
}

func TestTheTableAgreesWithTheDebugInformationOfCompiledBinaries(t *testing.T) {
	for _, version := range []string{"1.17.13", "1.18.10", "1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.14", "1.26.8", "1.27.4"} {
		for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
			if version == "1.17.13" && arch == model.ARM64 {
				continue // has no register ABI, and is not traced
			}
			t.Run(fmt.Sprintf("go%s on %s", version, arch), func(t *testing.T) {
				executable := target.MustCompile(t, target.Build{Source: "bpf/nethttp/target", Go: version, Arch: string(arch)})
				compare(t, executable, version, arch)
			})
		}
	}
}

func compare(t *testing.T, executable, version string, arch model.Arch) {
	t.Helper()
	file, err := os.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	inspected, err := inspect.Open(file, info.Size(), executable)
	if err != nil {
		t.Fatal(err)
	}
	structs := probe.Structs(all.Libraries())
	count := 0
	for _, library := range all.Libraries() {
		for _, field := range library.Fields {
			if !compared(field.Field) {
				continue
			}
			offset, exists, known := offsets.Default().Lookup(field.Module, version, arch, field.Field)
			if !known {
				t.Errorf("%s is not known", field.Field)
				continue
			}
			inDWARF, described, err := inspected.FieldOffset(field.Field, structs)
			if errors.Is(err, inspect.ErrNotDescribed) && !exists {
				continue // neither has the struct
			}
			if err != nil {
				t.Errorf("%s: %v", field.Field, err)
				continue
			}
			if exists != described || exists && offset != inDWARF {
				t.Errorf("%s: the table says %d (%v), the debug information %d (%v)", field.Field, offset, exists, inDWARF, described)
			}
			count++
		}
	}
	if count < 20 {
		t.Errorf("only %d fields could be compared", count)
	}
}
