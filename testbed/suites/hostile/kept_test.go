package hostile

import (
	"net/http"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A request over a connection whose entry is kept costs less.
func TestAServerWithManyIdleConnectionsLeavesRoomForTheEntriesOfAnother(t *testing.T) {
	const many, few = 200, 4
	server := target.Start(t, target.MustCompile(t, neighbour))
	flooder := startAsNobody(t, neighbour)
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{PID: server.PID}, {PID: flooder.PID}},
		MaxActiveSpans: 256,
	})
	tracer.AwaitTracing(t, 2)
	openIdle(t, flooder, many)
	tracer.Settle(t)
	before := kept(t)
	openIdle(t, server, few)
	tracer.Settle(t)
	if after := kept(t); after != before+few {
		t.Errorf("%d entries of idle connections are kept of one server, and %d of the other",
			before, after-before)
	}
}

// openIdle opens connections that have had a request, until the test ends.
func openIdle(t *testing.T, server *target.Server, connections int) {
	t.Helper()
	for range connections {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport}
		answer, err := client.Get("http://" + server.Address + "/idle")
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// kept counts the entries that are kept.
func kept(t *testing.T) (n uint64) {
	t.Helper()
	for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
		table, err := ebpf.NewMapFromID(id)
		if err != nil {
			continue // it is gone
		}
		if info, err := table.Info(); err == nil && info.Name == wire.MapKept {
			var in, out uint64
			if err := table.Lookup(uint32(0), &in); err != nil {
				t.Error(err)
			}
			if err := table.Lookup(wire.KeptAndSwept, &out); err != nil {
				t.Error(err)
			}
			n += in - out
		}
		table.Close()
	}
	return n
}
