// Package connections tests that the request that one program serves is told to be the one that
// another sends, by the connection between the two: whatever kind that is, and never by a guess. It
// needs root.
package connections

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// peer is a program at work.
type peer struct {
	*target.Server
	addresses map[string]string // by what listens there
}

func startPeer(t *testing.T, build target.Build) *peer {
	t.Helper()
	return startIn(t, nil, build)
}

// startIn starts a peer from where something is done.
func startIn(t *testing.T, do func(func() error) error, build target.Build, more ...string) *peer {
	t.Helper()
	arguments := append([]string{"-folder", t.TempDir()}, more...)
	command := exec.Command(target.MustCompile(t, build), arguments...)
	server := target.StartCommand(t, command, do)
	return &peer{server, server.Addresses(t)}
}

// send has requests made to a server.
func (p *peer) send(t *testing.T, o order) {
	t.Helper()
	var errs []string
	if err := p.Order(o, &errs); err != nil {
		t.Fatal(err)
	}
	if len(errs) > 0 {
		t.Fatalf("%s: %d of %d requests failed: %s", o.Name, len(errs), o.Requests, errs[0])
	}
}

// follow makes the requests of a link to a server.
func (p *peer) follow(t *testing.T, l link, server *peer) {
	t.Helper()
	l = l.to(server)
	if l.one {
		first := l.order
		first.Requests, first.AtOnce = 1, 1
		p.send(t, first)
		l.First, l.Requests = l.First+1, l.Requests-1
	}
	p.send(t, l.order)
}

// to has a link lead to a server.
func (l link) to(server *peer) link {
	if l.Address != "" {
		return l // to somebody between the two
	}
	l.Address, l.Network = server.addresses[l.listener], "tcp"
	if strings.HasSuffix(l.listener, " unix") || strings.HasSuffix(l.listener, " abstract") {
		l.Network = "unix"
	}
	return l
}

// trace traces programs.
func trace(t *testing.T, peers ...*peer) *tracing.Tracer {
	t.Helper()
	var config engine.Config
	for _, p := range peers {
		config.Targets = append(config.Targets, engine.Target{PID: p.PID})
	}
	tracer := tracing.Start(t, config)
	tracer.AwaitTracing(t, len(peers))
	return tracer
}

// compare compares all spans of links with what is expected of them. It returns how many have no
// parent of those that may have none.
func compare(t *testing.T, tracer *tracing.Tracer, list []link) (without int) {
	t.Helper()
	stats := tracer.Settle(t)
	if n := tracing.Lost(stats); n != 0 {
		t.Errorf("%d operations were lost: %v", n, stats.Lost)
	}
	forest := tree.New(tracer.Spans(), tree.Target)
	for _, l := range list {
		t.Run(l.Name, func(t *testing.T) {
			report := forest.Compare("/"+l.Name+"/", l.wants())
			_, spared := report.WithoutParent()
			without += spared
			if report.OK() {
				t.Log(report.Summary())
			} else {
				t.Error(report)
			}
			if n := connectionsOf(tracer.Spans(), l); l.one && l.untraced != theServer && n != 1 {
				t.Errorf(
					"%d connections were used: the test shows nothing of many requests over one", n,
				)
			}
		})
	}
	return without
}

// connectionsOf is how many connections the requests of a link came over.
func connectionsOf(spans []tracing.Span, l link) int {
	ports := map[any]bool{}
	for _, s := range spans {
		if s.Kind() == ptrace.SpanKindServer &&
			strings.HasPrefix(tree.Target(s), tree.Served(l.Name)+"/") {
			ports[s.Values()["network.peer.port"]] = true
		}
	}
	return len(ports)
}

func TestARequestIsJoinedToTheCallThatSendsIt(t *testing.T) {
	for _, e := range pairs() {
		t.Run(e.String(), func(t *testing.T) {
			client, server := startPeer(t, e.client), startPeer(t, e.server)
			tracer := trace(t, client, server)
			list := links(e)
			requests, wrapped := 0, 0
			for _, l := range list {
				client.follow(t, l, server)
				requests += l.Requests
				if l.expect == ifKnown {
					wrapped += l.Requests
				}
			}
			expectCounted(t, tracer, compare(t, tracer, list))
			// One end of each or both, and the rare ends on which the kernel is at work.
			n := tracer.MustStats(t).Degraded[engine.DegradedUnknownConnection]
			if int(n) < wrapped || int(n) > 2*wrapped+requests/100 {
				t.Errorf("%d ends are counted of %d requests over connections that are not known",
					n, wrapped)
			}
		})
	}
}

func TestAProgramThatCallsItselfHasBothEnds(t *testing.T) {
	p := startPeer(t, newest)
	tracer := trace(t, p)
	list := links(ends{newest, newest})
	for _, l := range list {
		p.follow(t, l, p)
	}
	compare(t, tracer, list)
}

// What happened before the first request that is seen has to be found out.
func TestConnectionsThatWereOpenBeforeCountToo(t *testing.T) {
	for _, e := range pairs() {
		t.Run(e.String(), func(t *testing.T) {
			client, server := startPeer(t, e.client), startPeer(t, e.server)
			var list []link
			for _, l := range links(e) {
				if l.Close {
					continue // none stays open
				}
				before := l.to(server).order
				if before.Requests = before.AtOnce; l.one {
					before.Requests, before.AtOnce = 1, 1
				}
				client.send(t, before)
				l.First = before.Requests
				list = append(list, l)
			}
			tracer := trace(t, client, server)
			for _, l := range list {
				client.send(t, l.to(server).order)
			}
			compare(t, tracer, list)
		})
	}
}

// Each client has a name of its own for its requests; what they are is alike.
func TestClientsOfOneServerAreNotMixedUp(t *testing.T) {
	server := startPeer(t, newest)
	clients := []*peer{startPeer(t, newest), startPeer(t, newest), startPeer(t, newest)}
	tracer := trace(t, append(clients[:2:2], server)...) // not the last one
	var list []link
	var wg sync.WaitGroup
	for i, client := range clients {
		var its []link
		for _, l := range links(ends{newest, newest}) {
			l.Name = fmt.Sprintf("client-%d-%s", i, l.Name)
			if i == 2 {
				l.untraced = theClient
			}
			its = append(its, l)
		}
		list = append(list, its...)
		wg.Go(func() {
			for _, l := range its {
				client.follow(t, l, server)
			}
		})
	}
	wg.Wait()
	compare(t, tracer, list)
}
