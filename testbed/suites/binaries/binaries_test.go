//go:build linux && amd64

// Package binaries traces programs whose files are out of the ordinary: of versions
// that no table knows, with debug information in all its forms, packed, optimized by
// a profile, loading plugins, linked into programs of other languages. It needs root.
package binaries

import (
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// binary is one, and what becomes of it.
type binary struct {
	make func(t *testing.T) string
	// source is where it is said that a field of net/http's is; "": in the table.
	source model.Source
	// refused is what the log says of it, if it is not traced.
	refused string
}

func TestEveryFormOfABinaryIsTracedOrRefusedInWords(t *testing.T) {
	all := binaries()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			b := all[name]
			executable := b.make(t)
			if b.refused != "" {
				refused(t, executable, b)
				return
			}
			if b.source == "" {
				b.source = model.SourceTable
			}
			if source := sourceOf(t, executable); source != b.source {
				t.Errorf("where the status of a response is comes from %q", source)
			}
			server := target.Start(t, executable)
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				PID:         server.PID,
				ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)
			traced(t, tracer, server)
		})
	}
}

// sourceOf says from where it is known where a response has its status.
func sourceOf(t *testing.T, executable string) model.Source {
	t.Helper()
	for _, field := range planned(t, executable, "net/http").Fields {
		if field.Struct == "response" && field.Field.Field == "status" {
			return field.Source
		}
	}
	return ""
}

// planned is how one library in an executable would be traced.
func planned(t *testing.T, executable, library string) plan.Library {
	t.Helper()
	_, planned := target.Plan(t, executable)
	for _, l := range planned.Libraries {
		if l.Library == library {
			return l
		}
	}
	t.Fatalf("there is no library %s", library)
	return plan.Library{}
}

// extent is what is said of how far the tables go.
func extent(module string) string {
	newest, made := offsets.Default().Extent(module)
	return "those of " + made + " know it up to " + newest
}

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	parentID = "b7ad6b7169203331"
	scope    = "github.com/spanprobe/spanprobe/" // and the library
)

// span is all of a span but its own id, its times, and the port of whoever called.
type span struct {
	Scope, Name, Kind, Status, Trace, Parent string
	Attributes                               map[string]any
}

// awaited waits for the one span that comes after others, and compares it.
func awaited(t *testing.T, tracer *tracing.Tracer, before int, want span) {
	t.Helper()
	spans := tracer.Await(t, before+1)
	if len(spans) != before+1 {
		t.Fatalf("%d spans of one request", len(spans)-before)
	}
	s := spans[before]
	got := span{
		s.Scope, s.Name(), s.Kind().String(), s.Status().Code().String(),
		s.TraceID().String(), s.ParentSpanID().String(), s.Values(),
	}
	delete(got.Attributes, "network.peer.port")
	delete(got.Attributes, "client.port")
	want.Kind, want.Status, want.Trace, want.Parent = ptrace.SpanKindServer.String(), ptrace.StatusCodeUnset.String(), traceID, parentID
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the span is not what was sent (-want +got):\n%s", diff)
	}
	if stats := tracer.MustStats(t); tracing.Lost(stats) != 0 {
		t.Errorf("spans were lost: %+v", stats)
	}
}

// traced makes a request of a traced server, and compares the span.
func traced(t *testing.T, tracer *tracing.Tracer, server *target.Server) {
	t.Helper()
	before := len(tracer.Spans())
	request, err := http.NewRequest(http.MethodGet,
		"http://"+server.Address+"/hello/bob?token=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "shop.example"
	request.Header.Set("User-Agent", "test/1")
	request.Header.Set("traceparent", "00-"+traceID+"-"+parentID+"-01")
	response, err := (&http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   tracing.Patience,
	}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	response.Body.Close()
	awaited(t, tracer, before, span{
		Scope: scope + "net/http", Name: "GET /hello/{name}",
		Attributes: map[string]any{
			"http.request.method": "GET", "http.response.status_code": int64(200),
			"http.route": "/hello/{name}",
			"url.path":   "/hello/bob", "url.query": "token=REDACTED", "url.scheme": "http",
			"server.address": "shop.example", "client.address": "127.0.0.1",
			"network.peer.address":     "127.0.0.1",
			"network.protocol.version": "1.1", "user_agent.original": "test/1",
		},
	})
}

// refused waits until the log says why a program is not traced, which serves all the same.
func refused(t *testing.T, executable string, b binary) {
	t.Helper()
	server := target.Start(t, executable)
	leftAlone(t, server, b.refused)
	if err := server.Get("/hello/bob"); err != nil {
		t.Errorf("the program does not serve: %v", err)
	}
}

// leftAlone waits until the log says why a running program is not traced.
func leftAlone(t *testing.T, server *target.Server, why string) *tracing.Tracer {
	t.Helper()
	logger, log := recorded()
	tracer := tracing.StartWith(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}},
		logger, nil)
	tracing.Eventually(t, func() bool {
		return strings.Contains(log(), "A target ")
	}, "the log to speak of the program")
	t.Attr("why", why) // for docs/support.md
	if !strings.Contains(log(), why) {
		t.Errorf("it does not say %q:\n%s", why, log())
	}
	return tracer
}

// recorded is a logger, and what was written to it so far.
func recorded() (logger *zap.Logger, log func() string) {
	var mu sync.Mutex
	var said []string
	logger = zap.New(
		zapcore.NewCore(
			zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "message"}),
			zapcore.AddSync(writer(func(line string) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, line)
			})),
			zapcore.InfoLevel,
		),
	)
	return logger, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(said, "\n")
	}
}

type writer func(string)

func (w writer) Write(line []byte) (int, error) {
	w(string(line))
	return len(line), nil
}

func TestAProgramWhoseFileIsGoneIsTraced(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, path string){
		"whose file was deleted": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"whose file was replaced": func(t *testing.T, path string) {
			write(t, path+".new", "#!/bin/sh\n")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			executable := changed(t, plain(t), func(b []byte) []byte { return b })
			server := target.Start(t, executable)
			remove(t, executable)
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				PID:         server.PID,
				ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)
			traced(t, tracer, server)
		})
	}
}

// plain is the server as everybody builds it.
func plain(t *testing.T) string {
	t.Helper()
	return target.MustCompile(t, target.Build{Source: serverSource, Go: release})
}

func stripped(t *testing.T) string {
	t.Helper()
	return target.MustCompile(t, target.Build{
		Source: serverSource, Go: release,
		Flags: []string{target.Stripped},
	})
}

// sample are those of which `make test` shows that they hold.
func sample() map[string]binary {
	return map[string]binary{
		"of a Go that does not exist yet": {
			make:   func(t *testing.T) string { return called(t, plain(t), "go1.28.0") },
			source: model.SourceDWARF,
		},
		"of a Go that does not exist yet, stripped": {
			make: func(t *testing.T) string { return called(t, stripped(t), "go1.28.0") },
			refused: "the tables do not cover Go 1.28.0: " + extent(
				model.ModuleStd,
			) + ", and the binary has no debug information",
		},
		"optimized by a profile, which inlined what ends a request": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource,
					files:  map[string]string{"default.pgo": profile(t)},
				})
			},
			refused: "the compiler has inlined calls of it into net/http.(*conn).serve",
		},
	}
}
