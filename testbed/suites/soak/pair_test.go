package soak

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

const (
	// pairTime is how long a pair lives at the least; one in another lane up to twice
	// as long.
	pairTime = 4 * time.Second
	// killEvery is how many pairs there are for one of which a program is killed.
	killEvery = 4
)

// pair is a server and a program that calls it.
type pair struct {
	server, caller *member
	killed         *member // nil: both ended by themselves
}

// member is a process of a pair.
type member struct {
	*target.Server
	tally string // its file
	kind  ptrace.SpanKind
}

// counts are those of what it did.
func (m *member) counts() (tally.Sums, error) { return read(m.tally) }

// read reads what a program has counted so far.
func read(file string) (sums tally.Sums, err error) {
	content, err := os.ReadFile(file)
	if err == nil {
		_, err = binary.Decode(content, binary.NativeEndian, &sums)
	}
	return sums, err
}

// live runs a pair for a while, and ends it in one way or the other.
func (s *soak) live(lifetime time.Duration) (*pair, error) {
	number := s.started.Add(1)
	p := &pair{}
	var err error
	if p.server, err = s.run(ptrace.SpanKindServer, fmt.Sprint("server-", number)); err != nil {
		return nil, err
	}
	web, rpc, _ := strings.Cut(p.server.Address, " ")
	p.caller, err = s.run(ptrace.SpanKindClient, fmt.Sprint("caller-", number), "-http", web,
		"-grpc", rpc, "-rate", fmt.Sprint(callRate))
	if err != nil {
		return nil, err
	}
	if _, err := p.caller.Say("call"); err != nil {
		return nil, err
	}
	time.Sleep(lifetime)
	switch number % (2 * killEvery) {
	case 1:
		p.killed = p.server
	case 1 + killEvery:
		p.killed = p.caller
	}
	return p, p.end(s.spans)
}

func (s *soak) run(kind ptrace.SpanKind, name string, args ...string) (*member, error) {
	m := &member{kind: kind, tally: filepath.Join(s.folder, name)}
	var err error
	if m.Server, err = target.Run(s.peer, append(args, "-tally", m.tally)...); err != nil {
		return nil, fmt.Errorf("start a %v: %w", kind, err)
	}
	return m, nil
}

// end ends both programs, the caller first, unless the server is to be killed.
func (p *pair) end(spans *counted) error {
	if p.killed != nil {
		if err := p.killed.Kill(); err != nil {
			return err
		}
	}
	if p.killed != p.caller {
		if _, err := p.caller.Say("stop"); err != nil {
			return err
		}
		if err := p.caller.Stop(); err != nil {
			return fmt.Errorf("a caller that is traced does not end well: %w", err)
		}
	}
	if p.killed == p.server {
		return nil
	}
	if err := p.server.finish(spans); err != nil {
		return err
	}
	if err := p.server.Stop(); err != nil {
		return fmt.Errorf("a server that is traced does not end well: %w", err)
	}
	return nil
}

// finish waits until each call that the server has begun has become a span: with
// some of them it is busy for a while when their client has gone. If one never
// does, it has to be among those that were counted as lost.
func (m *member) finish(spans *counted) error {
	for deadline := time.Now().Add(tracing.Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		served, err := m.counts()
		if err != nil {
			return err
		}
		if spans.of(m) == begun(served) {
			return nil
		}
	}
	return nil
}

// begun is how many calls have been, of all classes.
func begun(sums tally.Sums) (n [tally.Classes]uint64) {
	for c := range sums {
		n[c] = sums[c].Begun
	}
	return n
}

// remove removes what the pair has left behind.
func (p *pair) remove() error {
	if err := os.Remove(p.caller.tally); err != nil {
		return err
	}
	return os.Remove(p.server.tally)
}
