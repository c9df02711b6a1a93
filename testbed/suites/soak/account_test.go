package soak

import (
	"runtime"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// account compares what programs know that they did with the spans of it.
type account struct {
	pairs, kills int
	classes      [tally.Classes]classAccount
	lost         uint64 // counted by the engine, but for want of room
	hostile      uint64 // spans of the hostile process
}

// classAccount is one class's.
type classAccount struct {
	client, server side
}

// side is what clients, or servers, did.
type side struct {
	calls   uint64 // that were begun
	ok      uint64 // that went well
	spans   uint64
	missing uint64 // calls that ended for certain and have no span
	cut     uint64 // calls without a span that were under way when their program was killed
}

// add accounts for a pair.
func (a *account) add(t *testing.T, p *pair, spans *counted) {
	t.Helper()
	made, err := p.caller.counts()
	if err != nil {
		t.Error(err)
		return
	}
	served, err := p.server.counts()
	if err != nil {
		t.Error(err)
		return
	}
	bySender, byServer := spans.take(p.caller), spans.take(p.server)
	a.pairs++
	if p.killed != nil {
		a.kills++
	}
	for c := range tally.Classes {
		made, served, in := made[c], served[c], &a.classes[c]
		// What a caller knows to have ended was seen to, and it begins a call before it
		// can be seen.
		in.client.add(t, p.caller, c, made.Ended, made.Begun, made.OK, bySender[c])
		least := served.Begun
		if p.killed == p.server {
			// a server that was killed does not know all that it ended, and the caller what was
			// answered
			least = made.OK
		}
		in.server.add(t, p.server, c, least, served.Begun, served.OK, byServer[c])
		if p.killed != p.caller && made.Ended != made.Begun {
			t.Errorf("a caller made %d calls of class %v, of which %d have ended", made.Begun, c,
				made.Ended)
		}
	}
	if err := p.remove(); err != nil {
		t.Error(err)
	}
}

// add accounts for the calls of one class that a program did: at least so many, and
// at most.
func (s *side) add(t *testing.T, m *member, class tally.Class, least, most, ok, spans uint64) {
	t.Helper()
	if spans > most {
		t.Errorf("process %d, %v: %d spans of %d calls of class %v", m.PID, m.kind, spans, most,
			class)
		return
	}
	s.calls += most
	s.ok += ok
	s.spans += spans
	s.missing += max(least, spans) - spans
	s.cut += most - max(least, spans)
}

// compare holds what is missing against what the engine has counted.
func (a *account) compare(t *testing.T, before, after engine.Stats) {
	t.Helper()
	var spans, missing, cut uint64
	for _, class := range a.classes {
		for _, s := range []side{class.client, class.server} {
			spans += s.spans
			missing += s.missing
			cut += s.cut
		}
	}
	if emitted := after.Emitted - before.Emitted; emitted != spans+a.hostile {
		t.Errorf("%d spans were emitted, %d are of calls that were made, %d of the hostile process",
			emitted, spans, a.hostile)
	}
	a.lost = lost(after) - lost(before)
	// A server that is killed may not have counted yet what it had just begun.
	uncounted := uint64(a.kills * runtime.NumCPU())
	if a.lost < missing || a.lost > missing+cut+uncounted {
		t.Errorf("%d calls have no span and %d were cut off: %d are counted as lost: %v", missing,
			cut, a.lost, after.Lost)
	}
}

// degraded is how many spans lack what there was to see. Which connection a request is on is
// another matter: calls are given up here, and programs killed, so that some are closed by then.
func degraded(stats engine.Stats) (n uint64) {
	for reason, of := range stats.Degraded {
		if reason != engine.DegradedUnknownConnection {
			n += of
		}
	}
	return n
}

// compareDegraded expects that the spans of all calls are whole, and that connections could be told
// but for calls that ended badly.
func (a *account) compareDegraded(t *testing.T, stats engine.Stats) {
	t.Helper()
	if n := degraded(stats); n != 0 {
		t.Errorf("%d spans are degraded: %v", n, stats.Degraded)
	}
	if stats.EventsLost != 0 {
		t.Errorf("%d events were lost", stats.EventsLost)
	}
	var bad uint64
	for _, class := range a.classes {
		bad += class.client.calls - class.client.ok + class.server.calls - class.server.ok
	}
	if n := stats.Degraded[engine.DegradedUnknownConnection]; n > bad {
		t.Errorf("%d ends of connections could not be told, only %d calls did not end well", n, bad)
	}
}

// sum adds another account.
func (a *account) sum(other *account) {
	a.pairs += other.pairs
	a.kills += other.kills
	a.lost += other.lost
	a.hostile += other.hostile
	for c := range a.classes {
		a.classes[c].client.sum(other.classes[c].client)
		a.classes[c].server.sum(other.classes[c].server)
	}
}

func (s *side) sum(other side) {
	s.calls += other.calls
	s.ok += other.ok
	s.spans += other.spans
	s.missing += other.missing
	s.cut += other.cut
}

func (a *account) made() (n uint64) {
	for _, class := range a.classes {
		n += class.client.calls
	}
	return n
}

func (a *account) served() (n uint64) {
	for _, class := range a.classes {
		n += class.server.calls
	}
	return n
}
