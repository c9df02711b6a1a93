//go:build linux && (amd64 || arm64)

package engine

import (
	"os"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/discover"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/wire"
)

func TestTheMoreOftenAFileIsPreparedTheLongerItWaits(t *testing.T) {
	p, now := newPauses(), time.Now()
	id := model.ExeID{Dev: 1, Ino: 2}
	prepare := func(took time.Duration) (waited time.Duration) {
		t.Helper()
		for p.bar(id, now) {
			now = now.Add(time.Second)
			waited += time.Second
			p.forget(now)
		}
		p.begin(id)
		if !p.bar(id, now) {
			t.Error("it is prepared twice at a time")
		}
		p.end(id, took, now)
		id.Mtime++ // a touched file is the same one
		return waited
	}
	second := time.Second
	for i, want := range []time.Duration{
		0, 0, second, 2 * second, 4 * second, 8 * second, 16 * second, 32 * second,
		time.Minute, time.Minute,
	} {
		if waited := prepare(50 * time.Millisecond); waited != want {
			t.Errorf("preparation %d waits %v, want %v", i, waited, want)
		}
	}
	prepare(12 * second)
	if waited := prepare(0); waited != 2*time.Minute {
		t.Errorf("after a slow preparation it waits %v", waited)
	}
	if other := (model.ExeID{Dev: 1, Ino: 3}); p.bar(other, now) {
		t.Error("another file waits, too")
	}
	now = now.Add(3 * time.Minute)
	p.forget(now)
	if waited := prepare(0) + prepare(0); waited != 0 || len(p.byInode) != 1 {
		t.Errorf("after a long time it waits %v: %v", waited, p.byInode)
	}
}

// Each time that the preparer has opened the file, its time stamp is another one than that by which
// it was to be prepared.
func TestAFileThatIsTouchedInALoopKeepsNobodyBusy(t *testing.T) {
	s := newScene(t)
	path, id := placeServer(t)
	looks, times := 0, time.Now()
	s.exec = func(int) discover.Changes {
		looks++
		changes := gone(nobody)
		match := discover.Match{Process: model.Process{PID: nobody, Exe: path, ID: id}}
		changes.Appeared = []discover.Match{match}
		times = times.Add(time.Second)
		err := os.Chtimes(path, time.Time{}, times)
		if err == nil {
			id, err = discover.FileID(path)
		}
		if err != nil {
			t.Error(err)
		}
		return changes
	}
	stop := make(chan struct{})
	go s.run(stop)
	s.events <- wire.Event{Kind: wire.EventExec, Tgid: nobody}
	time.Sleep(4 * time.Second)
	close(stop)
	<-s.done
	if looks < 3 || looks > 6 {
		t.Errorf("%d looks at the process", looks)
	}
	if n := s.counts.stats().PreparationsDelayed; n == 0 {
		t.Error("no delay is counted")
	}
}
