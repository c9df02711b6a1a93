package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// testdata/trace.json is what Jaeger 2.13.0 answered for a trace of two services.

func TestATraceIsDecodedFromARealAnswer(t *testing.T) {
	recorded, err := os.ReadFile("testdata/trace.json")
	if err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, _ *http.Request) { w.Write(recorded) }
	found, err := answering(t, answer).find(t.Context(), "storefront", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 4 {
		t.Errorf("%d spans, want 4", len(found))
	}
	type summary struct {
		Trace              pcommon.TraceID
		Span, Parent       pcommon.SpanID
		Name               string
		Kind               ptrace.SpanKind
		Start, End         time.Time
		Status             ptrace.StatusCode
		Service, HTTPRoute any
		HTTPStatus         any
	}
	span := found[0]
	attributes := span.Values()
	got := summary{
		span.TraceID(), span.SpanID(), span.ParentSpanID(), span.Name(), span.Kind(),
		span.StartTimestamp().AsTime(), span.EndTimestamp().AsTime(), span.Status().Code(),
		span.Resource["service.name"],
		attributes["http.route"], attributes["http.response.status_code"],
	}
	start := time.Date(2025, 11, 24, 16, 0, 0, 0, time.UTC)
	want := summary{
		[16]byte{
			0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
			0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
		},
		[8]byte{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb1},
		[8]byte{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
		"GET /checkout", ptrace.SpanKindServer,
		start, start.Add(12400 * time.Microsecond), ptrace.StatusCodeError,
		"storefront", "/checkout", int64(503),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the first span (-want +got):\n%s", diff)
	}
}

func TestWhatJaegerDoesNotHaveIsNotFound(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"as Jaeger 2.13.0 says it": func(w http.ResponseWriter, _ *http.Request) {
			said := `{"error":{"httpCode":404,"message":"No traces found"}}`
			http.Error(w, said, http.StatusNotFound)
		},
		"a result without spans": func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"result":{"resourceSpans":[]}}`))
		},
	} {
		found, err := answering(t, answer).find(t.Context(), "a", time.Now())
		if err != nil || len(found) != 0 {
			t.Errorf("%s: %v, error %v", name, found, err)
		}
	}
}

func TestAnAnswerThatIsNoTraceIsAnErrorOfItsOwn(t *testing.T) {
	says := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a broken query": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusBadRequest)
		},
		"a web page":     says("<html>"),
		"no result":      says("{}"),
		"something else": says(`{"result":7}`),
		"a cut connection": func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		},
	} {
		if found, err := answering(t, answer).find(t.Context(), "a", time.Now()); err == nil {
			t.Errorf("%s: %v, and no error", name, found)
		}
	}
}

func TestAQueryAsksForRawTracesOfAServiceAndTime(t *testing.T) {
	var asked map[string][]string
	jaeger := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query()
		w.WriteHeader(http.StatusNotFound)
	})
	since := time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("east", 3600))
	before := time.Now()
	if _, err := jaeger.find(t.Context(), "a b", since); err != nil {
		t.Error(err)
	}
	last, err := time.Parse(time.RFC3339Nano, strings.Join(asked["query.start_time_max"], ""))
	if err != nil || last.Before(before) || last.After(time.Now().Add(time.Minute)) {
		t.Errorf("asked for spans until %v: %v", last, err)
	}
	delete(asked, "query.start_time_max")
	want := map[string][]string{
		"query.service_name":   {"a b"},
		"query.start_time_min": {"2026-02-03T03:05:05.000000007Z"},
		"query.num_traces":     {"5000"},
		"query.raw_traces":     {"true"},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the query (-want +got):\n%s", diff)
	}
}

// answering is a Jaeger whose query API answers so.
func answering(t *testing.T, handler http.HandlerFunc) *jaeger {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &jaeger{Query: server.Listener.Addr().String()}
}
