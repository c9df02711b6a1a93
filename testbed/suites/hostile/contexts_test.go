package hostile

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/attach"
	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var neighbour = target.Build{Source: "testbed/targets/neighbour", Go: "1.26.8"}

// called is a server that keeps with which tracestate each path was called.
type called struct {
	*httptest.Server
	arrived map[string]chan string
}

func startCalled(t *testing.T, paths int) *called {
	c := &called{arrived: map[string]chan string{}}
	for i := range paths {
		c.arrived[pathOf(i)] = make(chan string, 1)
	}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.arrived[r.URL.Path] <- r.Header.Get("Tracestate")
	}))
	t.Cleanup(c.Close)
	return c
}

func pathOf(number int) string { return fmt.Sprint("/called/", number) }

// Another process begins requests, and goroutines for them, as fast as it can. There is room for
// few. Each request of the quiet server takes a while before it makes a call. What goes on behind a
// request has its parent for a quarter of a second.
func TestAServerThatFloodsTheContextsTakesNoParentAndNoTracestateFromAnother(t *testing.T) {
	for kind, wait := range map[string]string{"handler": "300", "goroutine": "300", "after": "20"} {
		t.Run(kind, func(t *testing.T) { floodContexts(t, kind, wait) })
	}
}

func floodContexts(t *testing.T, kind, wait string) {
	const requests, atOnce = 200, 20
	server := target.Start(t, target.MustCompile(t, neighbour))
	flooder := startAsNobody(t, neighbour)
	c := startCalled(t, requests)
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{PID: server.PID}, {PID: flooder.PID}},
		MaxActiveSpans: 256, GoroutineAncestry: true, Inject: engine.InjectAuto,
	})
	tracer.AwaitTracing(t, 2)
	for _, order := range []string{"answer 4", "crowd 4"} {
		flooder.Ask(t, order)
	}
	await(t, flooder, 1000)

	refusal, err := attach.CheckWrites()
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, atOnce)
	var sent sync.WaitGroup
	var late, without atomic.Int64
	for i := range requests {
		slots <- struct{}{}
		sent.Go(func() {
			defer func() { <-slots }()
			query := url.Values{
				"call": {c.URL + pathOf(i)}, "wait": {wait},
			}
			request, err := http.NewRequest(http.MethodGet,
				"http://"+server.Address+"/"+kind+"?"+query.Encode(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Traceparent", fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))
			request.Header.Set("Tracestate", fmt.Sprint("quiet=", i))
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
			answered := time.Now()
			select {
			case state := <-c.arrived[pathOf(i)]:
				if time.Since(answered) > 200*time.Millisecond {
					late.Add(1)
				}
				if refusal == "" && state != fmt.Sprint("quiet=", i) {
					without.Add(1)
				}
			case <-time.After(tracing.Patience):
				t.Errorf("%s is not called", pathOf(i))
			}
		})
	}
	sent.Wait()
	flooded := flooder.Ask(t, "stop")
	stats := tracer.Settle(t)
	evicted := stats.Degraded[engine.DegradedEvictedParent]
	t.Logf("%s requests of the flooder, %d evicted", flooded, evicted)

	parents := map[pcommon.SpanID]pcommon.TraceID{}
	for _, span := range tracer.Spans() {
		if span.Kind() == ptrace.SpanKindServer {
			parents[span.SpanID()] = span.TraceID()
		}
	}
	calls, orphans := 0, 0
	for _, span := range tracer.Spans() {
		itsPID := span.Resource["process.pid"]
		if itsPID != int64(server.PID) || span.Kind() != ptrace.SpanKindClient {
			continue
		}
		calls++
		if parents[span.ParentSpanID()] != span.TraceID() {
			orphans++
		}
	}
	// A set in which the server itself has half of the places takes the room from the server. That
	// concerns one call in hundreds here, where there is room for few.
	const own = requests / 50
	if calls != requests || orphans > own+int(late.Load()) || without.Load() > own+late.Load() {
		t.Errorf("of %d calls of the quiet server, of which %d are late, %d have spans; "+
			"%d lack their parent, and %d their tracestate",
			requests, late.Load(), calls, orphans, without.Load())
	}
}
