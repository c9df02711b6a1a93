// Package offsets checks the offset table against what compilers did.
package offsets

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/bpf/nethttp"
	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// users are programs that use a library: the debug information describes no type
// that a program does not use.
var users = map[probe.Name]string{
	nethttp.ServerName: "testbed/targets/nethttp",
	nethttp.ClientName: "testbed/targets/httpcaller",
}

func TestTheTableAgreesWithTheDebugInformationOfCompiledBinaries(t *testing.T) {
	for _, version := range []string{
		"1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
		"1.22.12", "1.23.12", "1.24.13", "1.25.14", "1.26.8", "1.26.11", "1.27.4",
	} {
		for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
			if version == "1.17.13" && arch == model.ARM64 {
				continue // has no register ABI, and is not traced
			}
			t.Run(fmt.Sprintf("go%s on %s", version, arch), func(t *testing.T) {
				for _, library := range []probe.Library{nethttp.Server(), nethttp.Client()} {
					executable := target.MustCompile(t,
						target.Build{Source: users[library.Name], Go: version, Arch: string(arch)})
					if count := compare(t, executable, library, model.ModuleStd, version,
						arch); count < 20 {
						t.Errorf("%s: only %d fields could be compared", library.Name, count)
					}
				}
			})
		}
	}
}

// A program chooses the release of Go that a version of a module is compiled
// with, and offsets must be the same with all of them. From Go 1.27 on net/http
// has the servers of golang.org/x/net.
func TestTheTableAgreesWithModulesHoweverTheyAreCompiled(t *testing.T) {
	const net = "golang.org/x/net"
	for _, build := range []struct{ version, goVersion string }{
		{"v0.0.0-20210405180319-a5a99cb37ef4", "1.18.10"},
		{"v0.0.0-20220520000938-2e3eb7b945c2", "1.18.10"},
		{"v0.0.0-20220607020251-c690dde0001d", "1.18.10"},
		{"v0.0.0-20220607020251-c690dde0001d", "1.26.8"},
		{"v0.17.0", "1.18.10"},
		{"v0.17.0", "1.26.8"},
		{"v0.59.0", "1.26.8"},
		{"v0.62.0", "1.26.11"},
	} {
		for _, arch := range []model.Arch{model.AMD64, model.ARM64} {
			t.Run(fmt.Sprintf("net %s with go%s on %s", build.version, build.goVersion, arch),
				func(t *testing.T) {
					executable := target.MustCompile(t, target.Build{
						Source: "testbed/targets/nethttp", Go: build.goVersion,
						Flags: []string{"-tags=h2c"}, Arch: string(arch),
						Modules: []string{net + "@" + build.version},
					})
					if count := compare(t, executable, nethttp.Server(), net, build.version,
						arch); count < 2 {
						t.Errorf("only %d fields could be compared", count)
					}
				})
		}
	}
}

// compare compares the fields that a library needs of one module, and counts
// those that are described.
func compare(t *testing.T, executable string, library probe.Library, module, version string,
	arch model.Arch,
) int {
	t.Helper()
	inspected := target.Inspect(t, executable)
	structs := probe.Structs(all.Libraries())
	count := 0
	for _, field := range library.Fields {
		if field.Module != module || !probe.InTable(field.Field) {
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
			t.Errorf("%s: the table says %d (%v), the debug information %d (%v)", field.Field,
				offset, exists, inDWARF, described)
		}
		count++
	}
	return count
}
