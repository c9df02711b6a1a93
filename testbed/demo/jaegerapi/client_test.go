package jaegerapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
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
	var asked string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		w.Write(recorded)
	})
	traceID := [16]byte{
		0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
		0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
	}
	traces, err := client.Trace(t.Context(), traceID)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/api/v3/traces/4bf92f3577b34da6a3ce929d0e0e4736?raw_traces=true"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
	if got := traces.SpanCount(); got != 4 {
		t.Errorf("%d spans, want 4", got)
	}
	resource := traces.ResourceSpans().At(0)
	span := resource.ScopeSpans().At(0).Spans().At(0)
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
	attributes := span.Attributes().AsRaw()
	got := summary{
		span.TraceID(), span.SpanID(), span.ParentSpanID(), span.Name(), span.Kind(),
		span.StartTimestamp().AsTime(), span.EndTimestamp().AsTime(), span.Status().Code(),
		resource.Resource().Attributes().AsRaw()["service.name"],
		attributes["http.route"], attributes["http.response.status_code"],
	}
	start := time.Date(2025, 11, 24, 16, 0, 0, 0, time.UTC)
	want := summary{
		traceID,
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
		_, err := serve(t, answer).Trace(t.Context(), [16]byte{1})
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: error %v, want ErrNotFound", name, err)
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
		_, err := serve(t, answer).Trace(t.Context(), [16]byte{1})
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: error %v, want one that is not ErrNotFound", name, err)
		}
	}
}

func TestAQueryAsksForRawTracesOfAServiceAndTime(t *testing.T) {
	var asked map[string][]string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query()
		w.WriteHeader(http.StatusNotFound)
	})
	from := time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("east", 3600))
	_, err := client.Find(t.Context(),
		Query{Service: "a b", From: from, To: from.Add(time.Second), Limit: 9})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
	want := map[string][]string{
		"query.service_name":   {"a b"},
		"query.start_time_min": {"2026-02-03T03:05:06.000000007Z"},
		"query.start_time_max": {"2026-02-03T03:05:07.000000007Z"},
		"query.num_traces":     {"9"},
		"query.raw_traces":     {"true"},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the query (-want +got):\n%s", diff)
	}
}

func TestServicesAreListed(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"services":["storefront","payments"]}`))
	})
	got, err := client.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"storefront", "payments"}, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func serve(t *testing.T, handler http.HandlerFunc) Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Client{URL: server.URL, HTTP: server.Client()}
}
