package inject

import (
	"testing"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A request has one traceparent: W3C Trace Context takes two for none.
func TestTwoReceiversWriteOneHeader(t *testing.T) {
	_, refused := mode(t)
	for _, b := range builds() {
		t.Run(b.String(), func(t *testing.T) {
			for _, form := range b.forms() {
				t.Run(form, func(t *testing.T) {
					s := startServer(t)
					caller := target.Start(t, target.MustCompile(t, b.Build))
					for range 2 {
						start(t, caller, refused)
					}
					for _, o := range orders(b, form) {
						follow(t, caller, o.to(s))
					}
					countHeaders(t, s.taken(t), refused)
				})
			}
		})
	}
}

func countHeaders(t *testing.T, arrived map[string][]arrival, refused bool) {
	t.Helper()
	carried := 0
	for path, arrivals := range arrived {
		for _, a := range arrivals {
			_, values := traceparent(a.Header)
			if len(values) > 1 {
				t.Fatalf("%s carries %q", path, values)
			}
			carried += len(values)
		}
	}
	if carried == 0 && !refused {
		t.Error("no request carries anything")
	}
}

// The context of a request that was never sent is not for what is written to the same address.
func TestAnotherWriterAtTheAddressGetsNoHeader(t *testing.T) {
	_, refused := mode(t)
	client := target.Start(t, target.MustCompile(t,
		target.Build{Source: "testbed/targets/unsent", Go: "1.26.8"}))
	server := target.Start(t, target.MustCompile(t,
		target.Build{Source: "testbed/targets/nethttp", Go: "1.26.8"}))
	tracer := start(t, client, refused)
	if n := client.Ask(t, server.Address); n != "0" {
		t.Errorf("%s requests of the program's own carry a traceparent", n)
	}
	if lost := tracing.Lost(tracer.Settle(t)); lost != 0 {
		t.Errorf("%d operations are lost", lost)
	}
}
