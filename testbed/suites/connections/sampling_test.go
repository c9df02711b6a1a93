package connections

import (
	"encoding/binary"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A trace is sampled as a whole, by its id: where a call has no span, neither has the request at
// the other end of its connection.
func TestATraceIsSampledAsAWhole(t *testing.T) {
	for _, parentBased := range []bool{true, false} {
		t.Run(fmt.Sprintf("parent_based %t", parentBased), func(t *testing.T) {
			compareSampled(t, parentBased)
		})
	}
}

func compareSampled(t *testing.T, parentBased bool) {
	sampler, err := engine.NewSampler(0.25, parentBased)
	if err != nil {
		t.Fatal(err)
	}
	client, server := startPeer(t, newest), startPeer(t, newest)
	tracer := tracing.Start(t, engine.Config{
		Targets: []engine.Target{{PID: client.PID}, {PID: server.PID}}, Sampler: sampler,
	})
	tracer.AwaitTracing(t, 2)
	requests := 0
	for _, l := range links(ends{newest, newest}) {
		client.follow(t, l, server)
		requests += l.Requests
	}
	stats := tracer.Settle(t)
	if stats.Operations != uint64(2*requests) ||
		stats.NotSampled+stats.Emitted != stats.Operations {
		t.Errorf("%d requests: %+v", requests, stats)
	}
	ends := map[[16]byte][]ptrace.SpanKind{}
	for _, s := range tracer.Spans() {
		id := [16]byte(s.TraceID())
		ends[id] = append(ends[id], s.Kind())
		if random := binary.BigEndian.Uint64(id[8:]) & (1<<56 - 1); !sampler.Threshold.Samples(
			random,
		) {
			t.Errorf("trace %x is below the threshold of %x", id, sampler.Threshold)
		}
		state := ""
		if root := s.ParentSpanID().IsEmpty(); sampler.Decides(root, !root) {
			state = "ot=th:c"
		}
		if got := s.TraceState().AsRaw(); got != state {
			t.Errorf("a span of kind %v of trace %x has the tracestate %q, want %q", s.Kind(), id,
				got, state)
		}
	}
	for id, kinds := range ends {
		if len(kinds) != 2 || kinds[0] == kinds[1] {
			t.Errorf("trace %x has %v", id, kinds)
		}
	}
	// Six standard deviations on either side: less than one in 100 million runs is beyond.
	if share := float64(len(ends)) / float64(requests); share < 0.2 || share > 0.3 {
		t.Errorf("%d of %d traces are sampled", len(ends), requests)
	}
	t.Logf("%d of %d traces are sampled, %d operations are not", len(ends), requests,
		stats.NotSampled)
}
