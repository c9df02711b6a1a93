package nethttp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// holding is a server that answers as it is told to: first with headers, and then with a body.
type holding struct {
	*httptest.Server
	arrived, headers, body chan struct{}
}

func startHolding(t *testing.T) *holding {
	t.Helper()
	h := &holding{
		arrived: make(chan struct{}), headers: make(chan struct{}),
		body: make(chan struct{}),
	}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request,
	) {
		for _, step := range []struct {
			on chan struct{}
			do func() error
		}{
			{h.arrived, func() error { return nil }},
			{h.headers, http.NewResponseController(w).Flush},
			{h.body, func() error { _, err := io.WriteString(w, "the body"); return err }},
		} {
			select {
			case <-step.on:
			case <-r.Context().Done():
				t.Error("the request was given up")
				return
			}
			if err := step.do(); err != nil {
				t.Error(err)
			}
		}
	}))
	h.EnableHTTP2 = true
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

// docs/spans.md: a call ends "when the headers of the response were read".
func TestASpanOfACallLastsFromTheCallToTheHeaders(t *testing.T) {
	h := startHolding(t)
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, build))
			tracer := trace(t, caller)
			compareHeld(t, h, tracer, caller, order{}, "1.1")
			compareHeld(t, h, tracer, caller, order{HTTP2: true}, "2")
		})
	}
	for _, build := range buildsWithNet(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, tagged(build, "net")))
			compareHeld(t, h, trace(t, caller), caller, order{Way: "net"}, "2")
		})
	}
}

// compareHeld has the server hold the headers until the call has begun, and the body until
// the span has come.
func compareHeld(t *testing.T, h *holding, tracer *tracing.Tracer, caller *target.Server, o order,
	version string,
) {
	t.Helper()
	seen := len(tracer.Spans())
	o.URL, o.Trust = h.URL+"/held", true
	type answer struct {
		outcomes []outcome
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		outcomes, err := ask(caller, o)
		answered <- answer{outcomes, err}
	}()
	h.tell(t, h.arrived)
	arrived := time.Now()
	tracing.Eventually(t, func() bool { return time.Since(arrived) > 2*clockError }, "the clock")
	answering := time.Now()
	h.tell(t, h.headers)
	got := tracer.Await(t, seen+1)[seen]
	h.tell(t, h.body)
	a := <-answered
	if a.err != nil || len(a.outcomes) != 1 {
		t.Fatalf("%d requests: %v", len(a.outcomes), a.err)
	}
	compareCall(t, o.URL, requested(t, o.URL, map[string]any{"network.protocol.version": version}),
		a.outcomes[0], got)
	if start, end := got.StartTimestamp().
		AsTime(),
		got.EndTimestamp().
			AsTime(); start.After(arrived.Add(clockError)) ||
		end.Before(answering.Add(-clockError)) {
		t.Errorf("from %v to %v; the request was there at %v, and was answered from %v on", start,
			end, arrived, answering)
	}
}

// tell lets the server go on behind a step.
func (h *holding) tell(t *testing.T, step chan<- struct{}) {
	t.Helper()
	select {
	case step <- struct{}{}:
	case <-time.After(tracing.Patience):
		t.Fatal("the server does not come so far")
	}
}
