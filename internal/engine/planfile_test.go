//go:build linux && (amd64 || arm64)

package engine_test

import (
	"debug/elf"
	"io"
	"os"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
	"github.com/spanprobe/spanprobe/offsets"
)

// unknowing is a table that has no version of anything: debug information is read.
type unknowing struct{}

func (unknowing) Lookup(string, string, model.Arch, model.Field) (uint64, bool, bool) {
	return 0, false, false
}

func (unknowing) Candidates(string, model.Arch, model.Field, []model.Field) (uint64, bool, bool) {
	return 0, false, false
}

func (unknowing) Extent(string) (newest, made string) { return "", "" }

func TestLessThanHalfOfAnExecutableIsRead(t *testing.T) {
	for _, form := range []testbinary.Form{testbinary.Plain, testbinary.Stripped, testbinary.PIE, testbinary.NoCompress} {
		for name, table := range map[string]plan.Table{"tables": offsets.Default(), "debug information": unknowing{}} {
			build := testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: form}
			t.Run(string(form)+" with "+name, func(t *testing.T) {
				file, err := os.Open(testbinary.Server(t, build))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				info, err := file.Stat()
				if err != nil {
					t.Fatal(err)
				}
				var p *plan.Plan
				work := tiny.Measure(file, func(file io.ReaderAt) {
					_, p, err = engine.PlanFile(file, info.Size(), "server", all.Libraries(), table)
				})
				if err != nil {
					t.Fatal(err)
				}
				if traced := p.Libraries[0].Traced(); traced != (name == "tables" || form != testbinary.Stripped) {
					t.Errorf("traced: %t, %s", traced, p.Libraries[0].LeftOut)
				}
				if work.Read > info.Size()/2 {
					t.Errorf("%d bytes were read of a file of %d", work.Read, info.Size())
				}
				if name == "tables" {
					file := &avoiding{reader: file, avoids: debugInfo(t, file)}
					if _, _, err := engine.PlanFile(
						file,
						info.Size(),
						"server",
						all.Libraries(),
						table,
					); err != nil ||
						file.strayed {
						t.Errorf(
							"what the tables know was looked for in the debug information: %t, %v",
							file.strayed,
							err,
						)
					}
				}
			})
		}
	}
}

// avoiding notes whether the contents of a section were read.
type avoiding struct {
	reader  io.ReaderAt
	avoids  *elf.Section // nil: nothing
	strayed bool
}

func (a *avoiding) ReadAt(p []byte, at int64) (int, error) {
	const header = 24 // of what is compressed, which debug/elf reads first
	if s := a.avoids; s != nil && at < int64(s.Offset+s.FileSize) &&
		at+int64(len(p)) > int64(s.Offset+header) {
		a.strayed = true
	}
	return a.reader.ReadAt(p, at)
}

// debugInfo is a file's section of debug information; nil: there is none.
func debugInfo(t *testing.T, file io.ReaderAt) *elf.Section {
	t.Helper()
	parsed, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Section(".debug_info")
}
