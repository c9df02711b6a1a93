package traces

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/model"
)

func TestSpansAreGroupedByProcessAndLibrary(t *testing.T) {
	b := NewBuilder("1.2.3")
	one := NewResource(
		&model.Process{
			PID:         1,
			Exe:         "/bin/one",
			ServiceName: "one",
			Resource:    map[string]string{"team": "shop"},
		},
		"1.26.8",
		"host",
		"1.2.3",
	)
	two := NewResource(&model.Process{PID: 2, Exe: "/bin/two", ServiceName: "two"}, "", "", "1.2.3")
	b.Add(one, &model.Span{Library: "net/http", Name: "a"})
	b.Add(two, &model.Span{Library: "net/http", Name: "b"})
	b.Add(one, &model.Span{Library: "grpc", Name: "c"})
	b.Add(one, &model.Span{Library: "net/http", Name: "d"})
	if b.Len() != 4 {
		t.Errorf("%d spans, 4 were added", b.Len())
	}
	type group struct {
		Service, Scope, Version string
		Spans                   []string
	}
	var got []group
	for _, resource := range b.Take().ResourceSpans().All() {
		service, _ := resource.Resource().Attributes().Get("service.name")
		for _, scope := range resource.ScopeSpans().All() {
			g := group{
				Service: service.Str(),
				Scope:   scope.Scope().Name(),
				Version: scope.Scope().Version(),
			}
			for _, span := range scope.Spans().All() {
				g.Spans = append(g.Spans, span.Name())
			}
			got = append(got, g)
		}
	}
	want := []group{
		{"one", "github.com/spanprobe/spanprobe/net/http", "1.2.3", []string{"a", "d"}},
		{"one", "github.com/spanprobe/spanprobe/grpc", "1.2.3", []string{"c"}},
		{"two", "github.com/spanprobe/spanprobe/net/http", "1.2.3", []string{"b"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if b.Len() != 0 || b.Take().SpanCount() != 0 {
		t.Error("a builder that was emptied holds spans")
	}
}

func TestAResourceSaysWhatProcessItIs(t *testing.T) {
	r := NewResource(
		&model.Process{
			PID:         7,
			Exe:         "/srv/bin/shop",
			ServiceName: "shop",
			Resource:    map[string]string{"team": "a"},
		},
		"1.26.8",
		"host",
		"0.1.0",
	)
	want := map[string]any{
		"service.name":            "shop",
		"team":                    "a",
		"process.pid":             int64(7),
		"process.executable.path": "/srv/bin/shop",
		"process.executable.name": "shop",
		"process.runtime.name":    "go",
		"process.runtime.version": "go1.26.8",
		"host.name":               "host",
		"telemetry.sdk.name":      "spanprobe",
		"telemetry.sdk.language":  "go",
		"telemetry.sdk.version":   "0.1.0",
	}
	if diff := cmp.Diff(want, r.Attributes().AsRaw()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAProcessDoesNotSayOfItselfWhatTheReceiverTells(t *testing.T) {
	for name, p := range map[string]model.Process{
		"all of it is known":      {PID: 7, Exe: "/bin/shop", ServiceName: "shop", ContainerID: "c1"},
		"the container is not":    {PID: 7, Exe: "/bin/shop", ServiceName: "shop"},
		"only the pid is, in all": {PID: 7},
	} {
		t.Run(name, func(t *testing.T) {
			want := NewResource(&p, "1.26.8", "host", "1").Attributes().AsRaw()
			want["k8s.pod.name"] = "lie"
			p.Resource = map[string]string{"k8s.pod.name": "lie"}
			for _, key := range []string{
				"service.name", "process.pid", "process.executable.path",
				"process.executable.name", "process.runtime.name", "process.runtime.version",
				"container.id", "host.name", "telemetry.sdk.name", "telemetry.sdk.language",
				"telemetry.sdk.version",
			} {
				p.Resource[key] = "lie"
			}
			got := NewResource(&p, "1.26.8", "host", "1").Attributes().AsRaw()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAPathThatIsNoTextDoesNotMakeTheBatchInvalid(t *testing.T) {
	r := NewResource(&model.Process{Exe: "/srv/\xff\xfe/shop"}, "", "", "")
	if got, _ := r.Attributes().Get("process.executable.path"); got.Str() != "/srv/\uFFFD/shop" {
		t.Errorf("%q", got.Str())
	}
}

func TestASpanKeepsAllThatItHas(t *testing.T) {
	b := NewBuilder("")
	b.Add(NewResource(&model.Process{}, "", "", ""), &model.Span{
		TraceID: [16]byte{
			1,
		},
		SpanID:       [8]byte{2},
		ParentID:     [8]byte{3},
		Flags:        1,
		RemoteParent: true,
		TraceState:   "a=1",
		Kind:         model.KindServer,
		Name:         "GET",
		Start:        10,
		End:          20,
		Status:       model.StatusError,
		Attributes:   []model.Attribute{model.String("s", "x"), model.Int("i", 5)},
	})
	want := ptrace.NewSpan()
	want.SetTraceID([16]byte{1})
	want.SetSpanID([8]byte{2})
	want.SetParentSpanID([8]byte{3})
	want.SetFlags(0x301)
	want.TraceState().FromRaw("a=1")
	want.SetKind(ptrace.SpanKindServer)
	want.SetName("GET")
	want.SetStartTimestamp(10)
	want.SetEndTimestamp(20)
	want.Status().SetCode(ptrace.StatusCodeError)
	want.Attributes().PutStr("s", "x")
	want.Attributes().PutInt("i", 5)
	traces := ptrace.NewTraces()
	want.CopyTo(
		traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty(),
	)
	got := b.Take().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	if diff := cmp.Diff(
		spanJSON(t, traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans()), spanJSON(t, got),
	); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func spanJSON(t *testing.T, spans ptrace.SpanSlice) string {
	t.Helper()
	traces := ptrace.NewTraces()
	spans.CopyTo(traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans())
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
