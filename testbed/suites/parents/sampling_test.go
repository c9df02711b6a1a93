package parents

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// sampledWays are those from a request to a call in which a context, the goroutine, the one that
// has started it, or several of them tell the parent.
var sampledWays = []string{
	"handler", "handler-background", "goroutine", "goroutine-background",
	"fan-out-background", "nested", "pool", "with-timeout",
}

// sent is the trace context that a request comes with, made of its path.
func sent(path string) (header string, parent tree.Remote, sampled bool, random uint64) {
	sum := sha256.Sum256([]byte(path))
	parent = tree.Remote{Trace: hex.EncodeToString(sum[:16]), Span: hex.EncodeToString(sum[16:24])}
	flags := sum[24] & 1
	return fmt.Sprintf("00-%s-%s-%02x", parent.Trace, parent.Span,
		flags), parent, flags == 1, binary.BigEndian.Uint64(sum[8:16]) & (1<<56 - 1)
}

// What is not sampled has no span: neither the request, nor the calls that it leads to, nor the
// requests that these are at the program that they are made to.
func TestCallsAreSampledAsTheRequestThatTheyAreFor(t *testing.T) {
	for _, c := range []struct {
		name        string
		ratio       float64
		parentBased bool
	}{
		{"by the flags of the header", 1, true},
		{"by the flags of the header, whatever the ratio", 0, true},
		{"by the id of the trace, whatever the flags", 0.25, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			sampler, err := engine.NewSampler(c.ratio, c.parentBased)
			if err != nil {
				t.Fatal(err)
			}
			called, addresses := startPeer(t)
			t.Setenv("GOGC", "off")
			p := startCalling(t, newest(), engine.Config{
				Sampler: sampler,
				Targets: []engine.Target{{PID: called.PID}},
			},
				"http://"+addresses["http ipv4"], addresses["grpc ipv4"])
			p.quiet = true
			for _, side := range sides {
				for _, via := range vias {
					t.Run(side+"/"+via, func(t *testing.T) {
						p.compareSampled(t, side, via, sampler, called.PID)
					})
				}
			}
		})
	}
}

// What a request has left behind is on its own when that has ended, also if it was not sampled: a
// goroutine of its making begins traces then.
func TestWhatARequestThatIsNotSampledHasLeftBehindIsOnItsOwn(t *testing.T) {
	const notSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	p := start(t, newest(), engine.Config{})
	for _, side := range []string{"http2", "unary"} {
		t.Run(side, func(t *testing.T) {
			before := p.tracer.Settle(t)
			var wants []tree.Want
			for i := range requests {
				left := path(side, "http", "after-background", fmt.Sprint(i))
				for _, sent := range []string{
					left,
					path(side, "http", "release-after-background", fmt.Sprint(i)),
				} {
					if err := p.clients[side].send(sent, notSampled); err != nil {
						t.Fatal(err)
					}
				}
				wants = append(wants, tree.Want{Name: tree.Called(left + "/0/0")})
			}
			stats := p.tracer.Settle(t)
			report(t, tree.New(p.tracer.Spans(),
				name).Compare(path(side, "http", "after-background", ""), wants))
			// Both requests, and the call of the second.
			if n, not := stats.Emitted-before.Emitted, stats.NotSampled-before.NotSampled; n != requests ||
				not != 3*requests {
				t.Errorf("%d spans and %d operations that are not sampled, want %d and %d", n, not,
					requests, 3*requests)
			}
		})
	}
}

// startPeer starts the program of connections, which answers any call.
func startPeer(t *testing.T) (*target.Server, map[string]string) {
	t.Helper()
	b := newest()
	b.Source, b.Modules = "testbed/targets/peer", b.Modules[:1] // grpc
	peer := target.Start(t, target.MustCompile(t, b), "-folder", t.TempDir())
	return peer, peer.Addresses(t)
}

func (p *program) compareSampled(
	t *testing.T, side, via string, sampler engine.Sampler, called int,
) {
	all := slices.DeleteFunc(selected(ways, side), func(w way) bool {
		return !slices.Contains(sampledWays, w.name) || !p.sure(w.calls[0], side)
	})
	before := p.tracer.Settle(t)
	p.loadWith(t, side, via, all, func(path string) string {
		header, _, _, _ := sent(path)
		return header
	})
	stats := p.tracer.Settle(t)
	if n := tracing.Lost(stats); n != 0 {
		t.Errorf("%d operations were lost: %v", n, stats.Lost)
	}
	forest := tree.New(p.tracer.Spans(), func(s tracing.Span) string {
		if s.Resource["process.pid"] == int64(called) {
			return tree.Target(s)
		}
		return name(s)
	})
	var spans, none uint64
	for _, w := range all {
		under := path(side, via, w.name, "")
		var wants []tree.Want
		sampled := false // as the last request
		for _, want := range p.wants(w, side, under, w.count()) {
			ends := []tree.Want{want}
			if want.Parent == "" {
				var random uint64
				_, ends[0].Remote, sampled, random = sent(want.Name[len(tree.Served(""))-1:])
				if sampler.IgnoreParent {
					sampled = sampler.Threshold.Samples(random)
				}
			} else {
				ends = append(ends, tree.Want{
					Name:   tree.Served(want.Name[len(tree.Called(""))-1:]),
					Parent: want.Name,
				})
			}
			if sampled {
				wants = append(wants, ends...)
				spans += uint64(len(ends))
			} else {
				none += uint64(len(ends))
			}
		}
		t.Run(w.name, func(t *testing.T) { report(t, forest.Compare(under, wants)) })
	}
	if spans == 0 || none == 0 {
		t.Errorf("%d spans are wanted, and none of %d operations: the test shows nothing", spans,
			none)
	}
	if emitted, not := stats.Emitted-before.Emitted, stats.NotSampled-before.NotSampled; emitted != spans ||
		not != none {
		t.Errorf("%d spans and %d operations that are not sampled, want %d and %d", emitted, not,
			spans, none)
	}
	t.Logf("%d spans, and none of %d operations", spans, none)
}
