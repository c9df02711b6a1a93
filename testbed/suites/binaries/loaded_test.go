//go:build linux && amd64 && matrix

package binaries

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	hostSource    = "testbed/targets/pluginhost"
	librarySource = "testbed/targets/library"
)

func TestAHandlerInAPluginIsTraced(t *testing.T) {
	needs(t, "gcc")
	host, plugin := build(t, program{
		source: hostSource, env: cgo,
		args: []string{"-tags=serves"},
	}), plugin(t)
	for name, later := range map[string]bool{
		"of a plugin that was loaded before":                     false,
		"of a plugin that is loaded while the program is traced": true,
	} {
		t.Run(name, func(t *testing.T) {
			server := target.Start(t, host, plugin)
			if !later {
				load(t, server, plugin)
			}
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				PID:         server.PID,
				ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)
			if later {
				load(t, server, plugin)
			}
			traced(t, tracer, server)
		})
	}
}

func TestWhatOnlyAPluginHasIsRefusedInWords(t *testing.T) {
	needs(t, "gcc")
	plugin := plugin(t)
	server := target.Start(t, build(t, program{source: hostSource, env: cgo}), plugin)
	tracer := leftAlone(t, server, "it loads plugins, and what only those have is not traced")
	load(t, server, plugin)
	if err := server.Get("/hello/bob"); err != nil {
		t.Errorf("the plugin does not serve: %v", err)
	}
	if stats := tracer.MustStats(t); stats.Processes != 0 || stats.Operations != 0 {
		t.Errorf("it is traced since it has loaded a plugin: %+v", stats)
	}
}

// load has a program load its plugin, which it did not have so far.
func load(t *testing.T, server *target.Server, plugin string) {
	t.Helper()
	mapped := func() bool {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", server.PID))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(maps), plugin)
	}
	if mapped() {
		t.Fatal("the plugin was loaded before it was to be")
	}
	server.Address = server.Ask(t, "load")
	if !mapped() {
		t.Fatal("the plugin was not loaded")
	}
}

func TestAProgramInCThatServesInGoIsTraced(t *testing.T) {
	needs(t, "gcc")
	archive := build(t, program{
		source: librarySource, env: cgo,
		args: []string{"-tags=c", "-buildmode=c-archive"},
	})
	server := target.Start(t, compiled(t, archive, "-lpthread"))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
		PID:         server.PID,
		ServiceName: "shop",
	}}})
	tracer.AwaitTracing(t, 1)
	traced(t, tracer, server)
}

func TestAProgramInCThatLoadsALibraryInGoIsRefusedInWords(t *testing.T) {
	needs(t, "gcc")
	library := build(t, program{
		source: librarySource, env: cgo,
		args: []string{"-tags=c", "-buildmode=c-shared"},
	})
	refused(t, compiled(t, library), binary{refused: "not a Go executable"})
}

var cgo = []string{"CGO_ENABLED=1"}

func plugin(t *testing.T) string {
	t.Helper()
	return build(t, program{source: librarySource, env: cgo, args: []string{"-buildmode=plugin"}})
}

// compiled is a program in C with a library in Go.
func compiled(t *testing.T, library string, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "main.c"), "#include <stdio.h>\nextern char *ServeForC(void);\n"+
		"int main(void) { puts(ServeForC()); fflush(stdout); while (getchar() != EOF) puts(\"\"); return 0; }\n")
	executable := filepath.Join(folder, "target")
	run(t, folder, nil, "gcc", append([]string{
		"-o", executable, "main.c", library,
		"-Wl,-rpath," + filepath.Dir(library),
	}, flags...)...)
	return executable
}
