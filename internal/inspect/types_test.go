package inspect_test

import (
	"debug/dwarf"
	"debug/elf"
	"path"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
	"github.com/spanprobe/spanprobe/offsets"
)

// goRuntimeType is the attribute by which Go's debug information says where a type
// is described: src/cmd/internal/dwarf/dwarf.go, DW_AT_go_runtime_type.
const goRuntimeType = dwarf.Attr(0x2904)

func TestTypesAreDescribedWhereTheDebugInformationSaysSo(t *testing.T) {
	for _, release := range testbinary.Releases() {
		for _, form := range []testbinary.Form{testbinary.Plain, testbinary.PIE} {
			build := testbinary.Build{Go: release, Arch: model.AMD64, Form: form}
			t.Run(build.String(), func(t *testing.T) {
				path := testbinary.Server(t, build)
				said := runtimeTypes(t, path)
				for _, full := range []string{
					"net/http.response", "net/http.http2ErrCode", "net.TCPAddr", "time.Time",
				} {
					want, ok := said[full]
					if !ok && full == "net/http.http2ErrCode" {
						continue // gone since Go 1.27
					}
					got, err := typeAddress(t, path, build, full)
					// Some releases tell the address, others the distance from the first.
					if !ok || err != nil || got != want && got-typesOf(t, path, build) != want {
						t.Errorf(
							"%s is at %#x (%v), the debug information says %#x", full, got, err,
							want,
						)
					}
				}
			})
		}
	}
}

func TestStrippingMovesNoType(t *testing.T) {
	for _, release := range testbinary.Releases() {
		plain := testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Plain}
		stripped := testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Stripped}
		want, err := typeAddress(t, testbinary.Server(t, plain), plain, "net/http.response")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := typeAddress(
			t, testbinary.Server(t, stripped), stripped, "net/http.response",
		); err != nil ||
			got != want {
			t.Errorf("Go %s: at %#x, in the stripped binary at %#x (%v)", release, want, got, err)
		}
	}
}

func TestATypeThatIsNotThereIsAnError(t *testing.T) {
	build := testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.Stripped}
	path := testbinary.Server(t, build)
	for name, says := range map[string]string{
		"net/http.noSuchType":            "does not describe it",
		"example.com/http.response":      "does not describe it",
		"p." + strings.Repeat("x", 2000): "length",
	} {
		if address, err := typeAddress(t, path, build, name); err == nil ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("%.20q is at %#x, error %v", name, address, err)
		}
	}
	file := open(t, path)
	if _, err := file.TypeAddress(1<<62, "net/http", "http.response"); err == nil {
		t.Error("types are found where nothing of the file is")
	}
}

// typeAddress asks for a type, "net/http.response", where the binary's descriptions begin.
func typeAddress(t *testing.T, file string, build testbinary.Build, full string) (uint64, error) {
	t.Helper()
	dot := strings.LastIndexByte(full, '.')
	pkg := full[:max(dot, 0)]
	return open(t, file).TypeAddress(typesOf(t, file, build), pkg, path.Base(full))
}

// typesOf is where the descriptions begin.
func typesOf(t *testing.T, path string, build testbinary.Build) uint64 {
	t.Helper()
	at, exists, known := offsets.Default().
		Lookup(model.ModuleStd, build.Go, build.Arch, probe.ModuleTypes)
	if !exists || !known {
		t.Fatalf("the table does not know %s in Go %s", probe.ModuleTypes, build.Go)
	}
	return inspectFile(t, path).Moduledata[at/8]
}

// runtimeTypes reads from the debug information where types are described.
func runtimeTypes(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for entries := data.Reader(); ; {
		entry, err := entries.Next()
		if err != nil {
			t.Fatal(err)
		}
		if entry == nil {
			return found
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		if at, ok := entry.Val(goRuntimeType).(uint64); ok && at != 0 && found[name] == 0 {
			found[name] = at
		}
		if entry.Tag != dwarf.TagCompileUnit {
			entries.SkipChildren()
		}
	}
}
