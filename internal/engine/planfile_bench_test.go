//go:build linux && (amd64 || arm64)

package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/offsets"
)

// BenchmarkPlanFile inspects and plans real binaries: those that SPANPROBE_BINARIES
// names, with a colon between them, or this test itself.
func BenchmarkPlanFile(b *testing.B) {
	paths := strings.Split(os.Getenv("SPANPROBE_BINARIES"), ":")
	if paths[0] == "" {
		paths[0] = "/proc/self/exe"
	}
	libraries, table := all.Libraries(), offsets.Default()
	for _, path := range paths {
		b.Run(filepath.Base(path), func(b *testing.B) {
			file, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(info.Size())
			for b.Loop() {
				if _, _, err := engine.PlanFile(
					file,
					info.Size(),
					path,
					libraries,
					table,
				); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
