//go:build linux && amd64

package binaries

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A package is known by its path, wherever the build found it.
func TestALibraryIsKnownByItsPath(t *testing.T) {
	for name, p := range map[string]program{
		"in a vendor folder, of a build without modules": {gopath: true},
		"beside types of another package that have the same names": {files: map[string]string{
			"metadata/metadata.go": `package metadata

import "context"

type (
	mdIncomingKey struct{}
	mdOutgoingKey struct{}
)

func Of(ctx context.Context) any {
	return context.WithValue(context.WithValue(ctx, mdIncomingKey{}, 1), mdOutgoingKey{}, 2)
}
`,
			"more.go": `package main

import (
	"context"

	"` + target.Module + `/metadata"
)

var Of = metadata.Of(context.Background())
`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p.source, p.module = grpcSource, requiredGRPC
			executable := build(t, p)
			l := planned(t, executable, module)
			if !l.Traced() || slices.ContainsFunc(l.Notes, func(note string) bool {
				return strings.Contains(note, "metadata.")
			}) {
				t.Errorf("left out: %q; done without %q", l.LeftOut, l.Notes)
			}
			server := target.Start(t, executable)
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				PID: server.PID, ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)
			tracedCall(t, tracer, server)
		})
	}
}

// A fork under another path is not the library, and that is said.
func TestAForkUnderAnotherPathIsSaidNotToBeTraced(t *testing.T) {
	const forked = "example.com/fork/grpc"
	executable := build(t, program{
		source: grpcSource, module: requiredGRPC, gopath: true,
		fork: func(t *testing.T, folder string) { move(t, folder, module, forked) },
	})
	const says = "/vendor/" + forked + ".(*Server).handleStream is of a fork or of a second copy, " +
		"which is not traced"
	if l := planned(t, executable, module); !strings.Contains(l.LeftOut, says) {
		t.Errorf("left out: %q", l.LeftOut)
	}
	server := target.Start(t, executable)
	logger, log := recorded()
	tracing.StartWith(t, engine.Config{Targets: []engine.Target{{
		PID: server.PID, ServiceName: "shop",
	}}}, logger, nil)
	tracing.Eventually(t, func() bool {
		said := log()
		return strings.Contains(said, "A target is traced in part") && strings.Contains(said, says)
	}, "the log to say that the fork is not traced")
}

// move gives a vendored package another path, and has all files import it from there.
func move(t *testing.T, folder, from, to string) {
	t.Helper()
	vendor := filepath.Join(folder, "vendor")
	if err := os.MkdirAll(filepath.Join(vendor, filepath.Dir(to)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(vendor, from), filepath.Join(vendor, to)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		moved := strings.ReplaceAll(string(content), `"`+from, `"`+to)
		return os.WriteFile(path, []byte(moved), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
