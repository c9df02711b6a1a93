//go:build linux && amd64 && matrix

package binaries

import (
	"path/filepath"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
	"github.com/spanprobe/spanprobe/testbed/internal/tracing"
)

const (
	hostSource    = "testbed/binaries/host"
	pluginSource  = "testbed/binaries/plugin"
	librarySource = "testbed/binaries/library"
)

func TestAHandlerInAPluginIsTraced(t *testing.T) {
	needs(t, "gcc")
	server := target.Start(t, build(t, program{source: hostSource, env: cgo, args: []string{"-tags=serves"}}), plugin(t))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID, ServiceName: "shop"}}})
	tracer.AwaitTracing(t, 1)
	traced(t, tracer, server)
}

func TestWhatOnlyAPluginHasIsRefusedInWords(t *testing.T) {
	needs(t, "gcc")
	refused(t, build(t, program{source: hostSource, env: cgo}), binary{refused: "it loads plugins, and what only those have is not traced"}, plugin(t))
}

func TestAProgramInCThatServesInGoIsTraced(t *testing.T) {
	needs(t, "gcc")
	archive := build(t, program{source: librarySource, env: cgo, args: []string{"-buildmode=c-archive"}})
	server := target.Start(t, compiled(t, archive, "-lpthread"))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID, ServiceName: "shop"}}})
	tracer.AwaitTracing(t, 1)
	traced(t, tracer, server)
}

func TestAProgramInCThatLoadsALibraryInGoIsRefusedInWords(t *testing.T) {
	needs(t, "gcc")
	library := build(t, program{source: librarySource, env: cgo, args: []string{"-buildmode=c-shared"}})
	refused(t, compiled(t, library), binary{refused: "not a Go executable"})
}

var cgo = []string{"CGO_ENABLED=1"}

func plugin(t *testing.T) string {
	t.Helper()
	return build(t, program{source: pluginSource, env: cgo, args: []string{"-buildmode=plugin"}})
}

// compiled is a program in C with a library in Go.
func compiled(t *testing.T, library string, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "main.c"), "#include <stdio.h>\nextern char *Serve(void);\n"+
		"int main(void) { puts(Serve()); fflush(stdout); while (getchar() != EOF) puts(\"\"); return 0; }\n")
	executable := filepath.Join(folder, "target")
	run(t, folder, nil, "gcc", append([]string{"-o", executable, "main.c", library, "-Wl,-rpath," + filepath.Dir(library)}, flags...)...)
	return executable
}
