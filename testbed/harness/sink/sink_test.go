package sink

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// export sends so many spans of a service to a sink.
func export(t *testing.T, s *Sink, service string, n int) {
	t.Helper()
	connection, err := grpc.NewClient(s.Address(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", service)
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("a scope")
	scope.Scope().SetVersion("1.2.3")
	for range n {
		span := scope.Spans().AppendEmpty()
		span.SetName("GET /hello/{name}")
		span.Attributes().PutInt("http.response.status_code", 200)
		span.Attributes().PutStr("user_agent.original", strings.Repeat("a long one ", 50))
	}
	if _, err := ptraceotlp.NewGRPCClient(connection).Export(t.Context(),
		ptraceotlp.NewExportRequestFromTraces(traces), grpc.UseCompressor("gzip")); err != nil {
		t.Fatal(err)
	}
}

func started(t *testing.T, keep bool) *Sink {
	t.Helper()
	s, err := Start(keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestASinkKeepsWholeSpans(t *testing.T) {
	s := started(t, true)
	export(t, s, "shop", 2)
	spans := s.Spans()
	if len(spans) != 2 {
		t.Fatalf("%d spans arrived of 2", len(spans))
	}
	for _, span := range spans {
		if span.Name() != "GET /hello/{name}" || span.Scope != "a scope" ||
			span.Version != "1.2.3" ||
			span.Resource["service.name"] != "shop" ||
			span.Values()["http.response.status_code"] != int64(200) {
			t.Errorf("got %s, scope %s %s, resource %v, attributes %v", span.Name(), span.Scope,
				span.Version, span.Resource, span.Values())
		}
	}
}

func TestACountingSinkCountsByServiceAndKeepsNothing(t *testing.T) {
	s := started(t, false)
	export(t, s, "shop", 10_000) // more than the 4 MiB of gRPC's own limit
	export(t, s, "till", 3)
	if counts := s.Counts(); counts["shop"] != 10_000 || counts["till"] != 3 ||
		s.Count() != 10_003 {
		t.Errorf("counted %v, %d in all", counts, s.Count())
	}
	if len(s.Spans()) != 0 {
		t.Errorf("%d spans were kept", len(s.Spans()))
	}
	s.Reset()
	if s.Count() != 0 || len(s.Counts()) != 0 {
		t.Errorf("%d spans are left after a reset", s.Count())
	}
}

func TestAwaitWaitsForAllSpansAndSaysHowManyCame(t *testing.T) {
	s := started(t, true)
	export(t, s, "shop", 2)
	if err := s.Await(t.Context(), 2); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := s.Await(ctx, 3)
	if want := "2 of 3 spans arrived: " + context.DeadlineExceeded.Error(); err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	time.AfterFunc(10*time.Millisecond, func() { export(t, s, "shop", 1) })
	if err := s.Await(t.Context(), 3); err != nil {
		t.Error(err)
	}
}
