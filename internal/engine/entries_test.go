//go:build linux && (amd64 || arm64)

package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestEntriesThatHaveMatchedNothingAreReportedOnce(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, link := filepath.Join(folder, "program"), filepath.Join(folder, "link")
	if err := os.WriteFile(file, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	config := Config{Targets: []Target{{Exe: file}, {PID: 7}, {Exe: link, Port: 80}, {Exe: file}}}
	entries := newEntryCheck(config, Settings{Logger: zap.New(core)})
	entries.match(1)
	entries.match(3)
	entries.report()
	entries.match(0)
	entries.report()
	var lines []map[string]any
	for _, line := range logs.All() {
		lines = append(lines, line.ContextMap())
	}
	want := []map[string]any{
		{"entry": int64(0), "exe": file},
		{"entry": int64(2), "exe": link, "links_to": file, "port": uint16(80)},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}
