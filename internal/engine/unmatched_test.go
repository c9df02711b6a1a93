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

func TestEntriesThatHaveMatchedNothingAreToldOnce(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program, link := filepath.Join(folder, "program"), filepath.Join(folder, "link")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	c := &controller{
		config:   Config{Targets: []Target{{Exe: program}, {PID: 7}, {Exe: link, Port: 80}, {Exe: program}}},
		settings: Settings{Logger: zap.New(core)},
		matched:  map[int]bool{1: true, 3: true},
	}
	c.tellUnmatched()
	c.tellUnmatched()
	var told []map[string]any
	for _, line := range logs.All() {
		told = append(told, line.ContextMap())
	}
	want := []map[string]any{
		{"entry": int64(0), "exe": program},
		{"entry": int64(2), "exe": link, "links_to": program, "port": uint16(80)},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}
