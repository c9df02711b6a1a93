//go:build linux && (amd64 || arm64)

package engine

import (
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/traces"
)

func TestAProcessIsKnownForAWhileAfterItsEnd(t *testing.T) {
	r, now := newRegistry(), time.Now()
	traced, ended := processKey{1, 1}, processKey{2, 1}
	rejected, vanished := processKey{3, 1}, processKey{4, 1}
	r.put(traced, traces.Resource{})
	r.put(ended, traces.Resource{})
	for _, key := range []processKey{ended, rejected, vanished} {
		r.end(key, now)
	}
	r.reject(rejected, now)
	check := func(when string, want map[processKey]bool) {
		t.Helper()
		for _, key := range []processKey{traced, ended, rejected, vanished} {
			entry, known := r.get(key)
			if known != want[key] || entry.rejected != (known && key == rejected) {
				t.Errorf("%s, %+v is known: %t, rejected: %t", when, key, known, entry.rejected)
			}
		}
	}
	check("at first", map[processKey]bool{traced: true, ended: true, rejected: true})
	r.read(now.Add(time.Hour))
	r.expire(now.Add(afterlife))
	check("then", map[processKey]bool{traced: true, ended: true, rejected: true})
	r.expire(now.Add(afterlife + 1))
	check("at last", map[processKey]bool{traced: true})

	// Their operations are to be swept all the same.
	if due, _ := r.unswept(now.Add(time.Hour)); len(due) != 3 {
		t.Errorf("to be swept: %v", due)
	} else {
		r.swept(due)
	}
	r.expire(now.Add(time.Hour))
	if len(r.entries) != 1 {
		t.Errorf("left: %v", r.entries)
	}
}

func TestAKeyThatWasSweptIsForgottenWhenItIsNotKnownAnyMore(t *testing.T) {
	r, now := newRegistry(), time.Now()
	known, unknown := processKey{1, 1}, processKey{2, 1}
	r.put(known, traces.Resource{})
	r.end(known, now)
	r.end(unknown, now)
	due, early := r.unswept(now)
	if len(due) != 0 || len(early) != 2 {
		t.Fatalf("right after the end, to be swept: %v, too early for: %v", due, early)
	}
	due, early = r.unswept(now.Add(underWay))
	if len(due) != 2 || len(early) != 0 {
		t.Fatalf("later, to be swept: %v, too early for: %v", due, early)
	}
	r.swept(due)
	if _, is := r.get(known); !is || len(r.entries) != 1 {
		t.Errorf("after the sweep: %v", r.entries)
	}
	r.read(now.Add(time.Hour))
	r.expire(now.Add(afterlife + 1))
	if len(r.entries) != 0 {
		t.Errorf("at last: %v", r.entries)
	}
}

func TestAKeyThatIsTracedAgainHasLeftNothing(t *testing.T) {
	r, now := newRegistry(), time.Now()
	key := processKey{1, 1}
	r.put(key, traces.Resource{})
	r.end(key, now)
	due, _ := r.unswept(now.Add(underWay))
	r.put(key, traces.Resource{})
	if again, _ := r.unswept(now.Add(underWay)); len(again) != 0 {
		t.Errorf("to be swept: %v", again)
	}
	r.swept(due)
	r.expire(now.Add(afterlife + 1))
	if _, known := r.get(key); !known {
		t.Error("it is not known")
	}
}

func TestAProcessIsKnownUntilItsRecordsAreRead(t *testing.T) {
	r, now := newRegistry(), time.Now()
	key := processKey{1, 1}
	r.put(key, traces.Resource{})
	r.end(key, now)
	// The consumer takes its time: the ring buffer was last found empty as the process ended.
	r.read(now)
	r.expire(now.Add(time.Hour))
	if _, known := r.get(key); !known {
		t.Error("a process is unknown before its records are read")
	}
	r.read(now.Add(2 * time.Hour))
	r.expire(now.Add(2 * time.Hour))
	if _, known := r.get(key); known {
		t.Error("a process is known long after its records were read")
	}
}

func TestTheEndedProcessesThatAreKnownAreBounded(t *testing.T) {
	r, now := newRegistry(), time.Now()
	const ended = maxEnded + 100
	for i := range ended {
		key := processKey{uint32(i), 1}
		r.put(key, resourceOf("/bin/flood"))
		r.end(key, now.Add(time.Duration(i)))
	}
	r.read(now)
	r.expire(now.Add(time.Hour))
	_, oldest := r.get(processKey{ended - maxEnded - 1, 1})
	_, kept := r.get(processKey{ended - maxEnded, 1})
	if oldest || !kept {
		t.Errorf(
			"the last one to go is known: %t; the oldest one to stay is known: %t",
			oldest,
			kept,
		)
	}
	// The operations of all are to be swept.
	if due, _ := r.unswept(now.Add(time.Hour)); len(due) != ended {
		t.Errorf("%d are to be swept, want %d", len(due), ended)
	}
}

func TestAProcessThatEndedIsKnownThoughManyOfAnotherExecutableEndLater(t *testing.T) {
	r, now := newRegistry(), time.Now()
	quiet := processKey{1, 1}
	r.put(quiet, resourceOf("/bin/quiet"))
	r.end(quiet, now)
	for i := range 2 * maxEnded {
		key := processKey{uint32(i), 2}
		r.put(key, resourceOf("/bin/flood"))
		r.end(key, now.Add(time.Duration(i)))
	}
	r.read(now)
	r.expire(now.Add(time.Hour))
	if _, known := r.get(quiet); !known {
		t.Error("it is not known any more, though no record of it was read")
	}
}

func resourceOf(path string) traces.Resource {
	return traces.NewResource(&model.Process{PID: 1, Exe: path}, "", "", "")
}
