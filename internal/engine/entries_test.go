//go:build linux && (amd64 || arm64)

package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
	entries.look()
	entries.match(0)
	entries.look()
	for range 2 {
		entries.report(<-entries.unmatched)
	}
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

// A file system that does not answer has whoever follows a link of it wait.
func TestAnEntryOnADeadFileSystemKeepsNobodyWaiting(t *testing.T) {
	s := newScene(t)
	answer, stop := make(chan struct{}), make(chan struct{})
	s.entries.targets = []Target{{Exe: "/dead/program"}}
	s.entries.follow = func(path string) (string, error) {
		<-answer
		return path, nil
	}
	s.entries.look()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(stop)
	}()
	for deadline := time.Now().Add(time.Minute); s.logs.Len() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the entry is not in the log")
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	<-done
	close(answer)
	want := map[string]any{"entry": int64(0), "exe": "/dead/program"}
	if diff := cmp.Diff(want, s.logs.All()[0].ContextMap()); diff != "" {
		t.Error(diff)
	}
}
