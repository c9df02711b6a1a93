//go:build linux && amd64 && matrix

package binaries

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	newer  = "v1.99.0"               // than any that the tables know
	forked = "example.com/fork/grpc" // what takes its place
)

// A program may have another gRPC than the version that it names.
func TestOffsetsOfAModuleComeFromWhereItComesFrom(t *testing.T) {
	replaced := requiredGRPC + "replace " + module + " => " + cached(t, module+"@"+version) + "\n"
	unknown := func(t *testing.T, executable string) string {
		return renamed(t, executable, version, newer)
	}
	strip := []string{target.Stripped}
	for name, c := range map[string]struct {
		program program
		change  func(t *testing.T, executable string) string
		source  model.Source // "": left out
		leftOut string
		why     string // for docs/support.md, if that is not all of it
	}{
		"gRPC as it was released, stripped": {
			program: program{module: requiredGRPC, args: strip},
			source:  model.SourceTable,
		},
		"gRPC that is vendored, stripped": {program: program{
			module: requiredGRPC, args: strip,
			vendored: true,
		}, source: model.SourceTable},
		"gRPC that is replaced by a folder": {
			program: program{module: replaced},
			source:  model.SourceDWARF,
		},
		"gRPC that is replaced by a folder, stripped": {
			program: program{module: replaced, args: strip},
			leftOut: module + " is replaced by ",
			why:     module + " is replaced by something that the tables do not know",
		},
		"gRPC that is replaced by a fork": {program: program{
			module: requiredGRPC, vendored: true,
			fork: fork,
		}, source: model.SourceDWARF},
		"gRPC that is replaced by a fork, stripped": {
			program: program{module: requiredGRPC, args: strip, vendored: true, fork: fork},
			leftOut: module + " is replaced by " + forked + "@" + version + ", and the binary has no debug information",
		},
		"gRPC that is newer than the tables": {
			program: program{module: requiredGRPC},
			change:  unknown, source: model.SourceDWARF,
		},
		"gRPC that is newer than the tables, stripped": {
			program: program{module: requiredGRPC, args: strip}, change: unknown,
			leftOut: "the tables do not cover " + module + " " + newer + ": " + extent(module) + ", and the binary has no debug information",
		},
		"gRPC in a program without build information": {
			program: program{module: requiredGRPC},
			change:  unsaid, source: model.SourceDWARF,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.program.source = grpcSource
			executable := build(t, c.program)
			if c.change != nil {
				executable = c.change(t, executable)
			}
			l := planned(t, executable, module)
			if !strings.Contains(l.LeftOut, c.leftOut) || (l.LeftOut == "") != (c.leftOut == "") {
				t.Errorf("left out: %q", l.LeftOut)
			}
			for _, field := range l.Fields {
				if field.Module == module && field.Exists && field.Source != c.source {
					t.Errorf("%s is known from %s", field.Field, field.Source)
				}
			}
			if len(l.Fields) == 0 {
				t.Error("it has no fields")
			}
			server := target.Start(t, executable)
			logger, log := recorded()
			tracer := tracing.StartWith(t,
				engine.Config{Targets: []engine.Target{{
					PID:         server.PID,
					ServiceName: "shop",
				}}}, logger, nil)
			tracer.AwaitTracing(t, 1) // of net/http, at least, which is in it, too
			if c.leftOut == "" {
				tracedCall(t, tracer, server)
				return
			}
			if c.why == "" {
				c.why = c.leftOut
			}
			t.Attr("why", c.why)
			tracing.Eventually(t, func() bool {
				return strings.Contains(log(), c.leftOut)
			}, "the log to say why gRPC is left out")
			call(t, server)
			if stats := tracer.MustStats(t); stats.Operations != 0 {
				t.Errorf("something was seen of a call of what is left out: %+v", stats)
			}
		})
	}
}

// fork makes the gRPC that was vendored that of another module, in which the fields of a
// stream are elsewhere.
func fork(t *testing.T, folder string) {
	t.Helper()
	replaced := module + " => " + forked + " " + version + "\n"
	edit(t, filepath.Join(folder, "go.mod"), "module "+target.Module+"\n",
		"module "+target.Module+"\n\nreplace "+replaced)
	// As `go mod vendor` writes it, which would fetch the fork.
	list := filepath.Join(folder, "vendor/modules.txt")
	edit(t, list, "# "+module+" "+version+"\n",
		"# "+module+" "+version+" => "+forked+" "+version+"\n")
	content, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	write(t, list, string(content)+"# "+replaced)
	edit(t, filepath.Join(folder, "vendor", module, "internal/transport/transport.go"),
		"\ntype Stream struct {\n", "\ntype Stream struct {\n\tfork [3]string\n")
}

// edit changes what a file has once.
func edit(t *testing.T, path, is, becomes string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(content), is); n != 1 {
		t.Fatalf("%s has %q %d times", path, is, n)
	}
	write(t, path, strings.Replace(string(content), is, becomes, 1))
}

// cached is the folder of a version of a module.
func cached(t *testing.T, module string) string {
	t.Helper()
	command := exec.Command("go", "mod", "download", "-json", module)
	command.Dir = t.TempDir()
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	_, rest, _ := strings.Cut(string(output), `"Dir": "`)
	folder, _, found := strings.Cut(rest, `"`)
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil || !found {
		t.Fatalf("there is no module in %q: %v", folder, err)
	}
	return folder
}
