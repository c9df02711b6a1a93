package grpc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// exchange is one call, and the span that it must give.
type exchange struct {
	name      string
	kind      string   // "": unary
	method    string   // as it is called; "": the one of that kind
	authority string   // "": that of all
	metadata  []string // keys and values in turn
	bytes     int      // of a message
	code      codes.Code
	older     codes.Code // what some older versions end it with; 0: the same

	changes    map[string]any // of the attributes that all have
	traceID    string         // "" for a new one
	parentID   string
	traceState string
}

func exchanges() []exchange {
	var list []exchange
	for _, k := range kinds {
		list = append(list,
			exchange{name: "a call", kind: k.kind},
			exchange{
				name: "not found", kind: k.kind, metadata: []string{"ending", "code=5"},
				code: codes.NotFound,
			},
			exchange{
				name: "unavailable", kind: k.kind, metadata: []string{"ending", "code=14"},
				code: codes.Unavailable,
			},
			exchange{
				name: "an error without a status", kind: k.kind,
				metadata: []string{"ending", "error"}, code: codes.Unknown,
			},
			exchange{
				name: "a panic that is recovered", kind: k.kind,
				metadata: []string{"ending", "panic"}, code: codes.Internal,
			},
			exchange{
				name: "a message that is too large", kind: k.kind, bytes: 5 << 20,
				code: codes.ResourceExhausted,
			},
			exchange{
				name: "a remote parent with a state", kind: k.kind,
				metadata: []string{
					"traceparent", sampled, "tracestate", "a=1,b=2", "tracestate",
					"c=3",
				},
				traceID: traceID, parentID: parentID, traceState: "a=1,b=2,c=3",
			},
		)
	}
	for code := range codeNames {
		list = append(list, exchange{
			name:     "a status",
			metadata: []string{"ending", fmt.Sprintf("code=%d", code)}, code: codes.Code(code),
		})
	}
	list = append(list,
		exchange{
			name: "no port", authority: "shop.example",
			changes: map[string]any{"server.address": "shop.example", "server.port": nil},
		},
		exchange{
			name: "an address of IPv6", authority: "[::1]:80",
			changes: map[string]any{"server.address": "::1", "server.port": int64(80)},
		},
		exchange{
			name: "an address of IPv6 and no port", authority: "[::1]",
			changes: map[string]any{"server.address": "::1", "server.port": nil},
		},
		exchange{name: "an invalid parent", metadata: []string{
			"traceparent",
			strings.ToUpper(sampled), "tracestate", "a=1",
		}},
		exchange{name: "two parents", metadata: []string{
			"traceparent", sampled, "traceparent",
			sampled,
		}},
		exchange{name: "an empty state", metadata: []string{
			"traceparent", sampled, "tracestate",
			"",
		}, traceID: traceID, parentID: parentID},
		unregistered("no such method", "/testbed.Calls/Nothing"),
		unregistered("no such service", "/testbed.Nothing/Unary"),
		unregistered("a service with slashes", "/testbed/Calls/Unary"),
		exchange{
			name: "a method of no form", method: "nothing", code: codes.Unimplemented,
			older: codes.ResourceExhausted,
		},
	)
	for _, n := range []int{1, 3, 4, 5, 8, 9, 15, 30, 60} {
		var pairs []string
		for i := range n {
			pairs = append(pairs, fmt.Sprintf("x-header-%d", i), fmt.Sprintf("value %d", i))
			if i == n/2 {
				pairs = append(pairs, "traceparent", sampled, "tracestate", "a=1")
			}
		}
		list = append(list, exchange{
			name: fmt.Sprintf("among %d pairs", n), metadata: pairs,
			traceID: traceID, parentID: parentID, traceState: "a=1",
		})
	}
	return complete(list)
}

// complete fills in what most exchanges have alike.
func complete(list []exchange) []exchange {
	for i := range list {
		e := &list[i]
		if e.kind == "" {
			e.kind = "unary"
		}
		if e.method == "" {
			e.method = "/" + methodOf(e.kind)
		}
	}
	return list
}

// unregistered is a call that the server has no handler for.
func unregistered(name, method string) exchange {
	return exchange{name: name, method: method, code: codes.Unimplemented}
}

func (e exchange) String() string { return e.name + ", " + e.kind }

// make makes the call, and expects that it ends as it should.
func (e *exchange) make(t *testing.T, r *remote) window {
	t.Helper()
	var options []grpc.CallOption
	if e.authority != "" {
		options = append(options, grpc.CallAuthority(e.authority))
	}
	when, err := r.call(context.Background(), e.kind, e.method, e.bytes, e.metadata, options...)
	if e.older != 0 && status.Code(err) == e.older {
		e.code = e.older
	}
	mustEnd(t, e.String(), err, e.code)
	return when
}

// wanted is the span of an exchange with a client.
func (e exchange) wanted(r *remote) span {
	s := expected(ptrace.SpanKindServer, strings.TrimPrefix(e.method, "/"), e.code)
	s.TraceID, s.ParentID, s.TraceState = e.traceID, e.parentID, e.traceState
	s.change(map[string]any{
		"server.address": "shop.example", "server.port": int64(8080),
		"user_agent.original": userAgent,
	})
	return s.change(r.peer()).change(e.changes)
}

// exchangeAll makes calls one after the other, and compares the spans.
func exchangeAll(t *testing.T, tracer *tracing.Tracer, r *remote, all []exchange) []tracing.Span {
	t.Helper()
	windows := make([]window, len(all))
	for i := range all {
		windows[i] = all[i].make(t, r)
	}
	spans := inOrder(t, tracer, len(all))
	for i, e := range all {
		compare(t, e.String(), e.wanted(r), windows[i], spans[i])
	}
	lostNothing(t, tracer, len(all))
	return spans
}

func TestEverySpanSaysWhatTheClientKnows(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			executable := target.MustCompile(t, build)
			server := target.Start(t, executable, "-recover")
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				Exe:         executable,
				ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)
			spans := exchangeAll(t, tracer, overTCP(t, server.Address), exchanges())
			checkResource(t, spans[0], server, build)
		})
	}
}
