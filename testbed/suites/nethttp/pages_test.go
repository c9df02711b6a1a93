package nethttp

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// What a program allocates may reach into pages that it has not touched yet, and
// those cannot be read. It happens to one request in a hundred of a young
// process, wherever a read is larger than what was written.
func TestPagesThatWereNeverTouchedHideNothing(t *testing.T) {
	var request strings.Builder
	request.WriteString("GET /nothing HTTP/1.1\r\nHost: shop.example\r\n")
	for i := range 9 {
		fmt.Fprintf(&request, "X-Header-%d: value %d\r\n", i, i)
	}
	request.WriteString("traceparent: " + sampled + "\r\n\r\n")
	for _, version := range []string{"1.21.13", "1.22.12", "1.24.13", "1.27.4"} {
		t.Run("go"+version, func(t *testing.T) {
			executable := target.MustCompile(t,
				target.Build{Source: source, Go: version, Flags: []string{target.Stripped}})
			tracer := tracing.Start(t, engine.Config{
				Targets:        []engine.Target{{Exe: executable}},
				RingBufferSize: 16 << 20,
			})
			const processes, requests = 5, 1000
			for range processes {
				server := target.Start(t, executable)
				tracer.AwaitTracing(t, 1)
				exchangeAll(t, server.Address, request.String(), requests)
				if err := server.Stop(); err != nil {
					t.Fatal(err)
				}
				tracer.AwaitTracing(t, 0)
			}
			orphans := 0
			spans := tracer.Await(t, processes*requests)
			for _, span := range spans {
				if span.ParentSpanID().String() != parentID {
					orphans++
				}
			}
			if stats := tracer.MustStats(t); len(spans) != processes*requests || orphans > 0 ||
				stats.Degraded[engine.DegradedUnreadable] > 0 {
				t.Errorf("%d spans of %d requests, %d without their parent: %+v", len(spans),
					processes*requests, orphans, stats)
			}
		})
	}
}

// exchangeAll sends a request over one connection, again and again.
func exchangeAll(t *testing.T, address, request string, n int) {
	t.Helper()
	client, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answers := bufio.NewReader(client)
	for range n {
		if _, err := client.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
