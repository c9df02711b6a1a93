package grpc

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// errand is an order, how the call must end for the caller, and the server that
// its span must name.
type errand struct {
	name  string
	order order
	codes []codes.Code // one of them
	host  string
	port  int64 // 0: none
	// late says that the call ends after the caller has left it.
	late bool
}

// retries lets gRPC itself try a call of the service four times.
const retries = `{"methodConfig": [{"name": [{"service": "testbed.Calls"}], "retryPolicy": {
	"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]
}}]}`

// while is for how long calls go on that are interrupted, in milliseconds.
const while = 300

func errands(t *testing.T, u *upstreams) []errand {
	t.Helper()
	host, port := hostAndPort(t, u.plain.Address)
	ending := func(words string) map[string]string { return map[string]string{"ending": words} }
	var list []errand
	add := func(name string, code codes.Code, o order) *errand {
		if o.Kind == "" {
			o.Kind = "unary"
		}
		if o.Method == "" {
			o.Method = "/" + methodOf(o.Kind)
		}
		e := errand{
			name: name + ", " + o.Kind, order: o, codes: []codes.Code{code}, host: host,
			port: port,
		}
		if o.Target == "" {
			e.order.Target = u.plain.Address
		}
		list = append(list, e)
		return &list[len(list)-1]
	}
	to := func(e *errand, host string, port int64) { e.host, e.port = host, port }

	for _, k := range kinds {
		add("a call", codes.OK, order{Kind: k.kind})
		add("a call that fails", codes.NotFound, order{Kind: k.kind, Metadata: ending("code=5")})
		add("a deadline", codes.DeadlineExceeded,
			order{Kind: k.kind, Metadata: ending("sleep"), Timeout: while})
		add("a cancelled call", codes.Canceled,
			order{Kind: k.kind, Metadata: ending("sleep"), Cancel: while})
		if k.kind != "unary" {
			add("a stream that is left", codes.Canceled,
				order{Kind: k.kind, Leave: "cancelled"}).late = true
		}
		add("a closed connection", codes.Canceled, order{Kind: k.kind, Close: -1})
		// What notices first decides which it is.
		closed := add("a connection that is closed", codes.Canceled,
			order{Kind: k.kind, Metadata: ending("sleep"), Close: while, Stats: true})
		closed.codes = append(closed.codes, codes.Unavailable)
		add("an interceptor", codes.OK, order{Kind: k.kind, Interceptor: true})
		add("a stats handler", codes.OK, order{Kind: k.kind, Stats: true})
		// What has sent headers is not tried again.
		if k.kind == "unary" || k.kind == "client" {
			add("a call that is tried again", codes.OK,
				order{Kind: k.kind, Config: retries, Metadata: ending("flaky=2")})
			add("a call that is tried in vain", codes.Unavailable,
				order{Kind: k.kind, Config: retries, Metadata: ending("flaky=9")})
		}
		add("metadata that cannot be sent", codes.Internal,
			order{Kind: k.kind, Metadata: map[string]string{"a key": "value"}})
		add("a message that is too large", codes.ResourceExhausted, order{Kind: k.kind, MaxSend: 3})
	}
	for code := range codeNames {
		add("a status", codes.Code(code), order{Metadata: ending(fmt.Sprintf("code=%d", code))})
	}
	add("an error without a status", codes.Unknown, order{Metadata: ending("error")})
	add("no such method", codes.Unimplemented, order{Method: "/testbed.Calls/Nothing"})
	add("no such service", codes.Unimplemented, order{Method: "/testbed.Nothing/Unary"})
	add("a method of no form", codes.Unimplemented, order{Method: "nothing"})

	gone, goneAt := hostAndPort(t, u.refusing)
	to(add("refused", codes.Unavailable, order{Target: u.refusing}), gone, goneAt)
	to(add("nobody to wait for", codes.DeadlineExceeded,
		order{Target: u.refusing, Wait: true, Timeout: while}), gone, goneAt)
	to(add("no such host", codes.Unavailable, order{Target: "dns:///name.invalid"}), "name.invalid",
		443)
	to(add("no such host and a port", codes.Unavailable, order{Target: "dns:///name.invalid:80"}),
		"name.invalid", 80)
	// Only the resolver of names adds a port.
	to(add("no port", codes.Unavailable, order{Target: "passthrough:///127.0.0.1"}), "127.0.0.1", 0)
	to(add("a name that is never resolved", codes.DeadlineExceeded,
		order{Target: "never:///shop.example:50051", Timeout: while}), "shop.example", 50051)
	to(add("a name", codes.OK, order{Target: fmt.Sprintf("dns:///localhost:%d", port)}),
		"localhost", port)
	add("a target that is passed through", codes.OK,
		order{Target: "passthrough:///" + u.plain.Address})
	add("a connection of the program's own", codes.OK, order{Wrapped: true})
	add("no TLS at the other end", codes.Unavailable, order{TLS: true})

	secure, securePort := hostAndPort(t, u.tls.Address)
	to(add("TLS", codes.OK, order{Target: u.tls.Address, TLS: true}), secure, securePort)
	v6, v6Port := hostAndPort(t, u.v6.Address)
	to(add("IPv6", codes.OK, order{Target: u.v6.Address}), v6, v6Port)
	to(add("a unix socket", codes.OK, order{Target: "unix://" + u.unix.Address}), u.unix.Address, 0)
	to(add("a unix socket without slashes", codes.OK, order{Target: "unix:" + u.unix.Address}),
		u.unix.Address, 0)
	return list
}

// wanted is the span that an errand must give, with what the caller saw of it.
func wanted(e errand, came outcome) span {
	s := expected(ptrace.SpanKindClient, strings.TrimPrefix(e.order.Method, "/"),
		codes.Code(came.Code))
	s.change(map[string]any{"server.address": e.host, "server.port": e.port})
	if e.port == 0 {
		delete(s.Attributes, "server.port")
	}
	switch came.Network {
	case "tcp":
		peer := netip.MustParseAddrPort(came.Peer)
		s.change(map[string]any{
			"network.peer.address": peer.Addr().String(),
			"network.peer.port":    int64(peer.Port()),
		})
	case "unix":
		s.change(map[string]any{"network.peer.address": came.Peer, "network.transport": "unix"})
	}
	return s
}

// settled is what came of an errand that may end in several ways, when two notice its
// end at once: the program is told of one, and the stream may be finished with the
// other.
func (e errand) settled(came outcome, got tracing.Span) outcome {
	for _, code := range e.codes {
		if len(e.codes) > 1 && got.Values()["rpc.response.status_code"] == codeNames[code] {
			came.Code = int(code)
		}
	}
	return came
}

func TestEveryCallGivesASpanThatSaysWhatCameOfIt(t *testing.T) {
	t.Setenv("GRPC_GO_RETRY", "on") // up to 1.40, gRPC does not try again by itself
	u := startUpstreams(t)
	for _, build := range builds(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			executable := target.MustCompile(t, build)
			caller := target.Start(t, executable)
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				Exe:         executable,
				ServiceName: "shop",
			}}})
			tracer.AwaitTracing(t, 1)
			all := errands(t, u)
			outcomes := make([]outcome, len(all))
			for i, e := range all {
				outcomes[i] = run(t, caller, e)
			}
			spans := inOrder(t, tracer, len(all))
			for i, e := range all {
				when := outcomes[i].window()
				if e.late {
					when.to = time.Now()
				}
				compare(t, e.name, wanted(e, e.settled(outcomes[i], spans[i])), when, spans[i])
			}
			checkResource(t, spans[0], caller, build)
			lostNothing(t, tracer, len(all))
		})
	}
}

// run has a caller do an errand, and checks that it ended as it should.
func run(t *testing.T, caller *target.Server, e errand) outcome {
	t.Helper()
	came := place(t, caller, e.order)[0]
	if got := codes.Code(came.Code); !slices.Contains(e.codes, got) {
		t.Fatalf("%s: it ended with %s, not %s: %s", e.name, got, e.codes, came.Error)
	}
	if n := len(came.Ended); n > 0 && !slices.Contains(e.codes, codes.Code(came.Ended[n-1])) {
		t.Fatalf("%s: the program saw %s, a stats handler %v", e.name, codes.Code(came.Code),
			came.Ended)
	}
	return came
}

func checkResource(t *testing.T, got tracing.Span, process *target.Server, build target.Build) {
	t.Helper()
	for key, want := range map[string]any{
		"service.name":            "shop",
		"process.pid":             int64(process.PID),
		"process.runtime.name":    "go",
		"process.runtime.version": "go" + build.Go,
		"telemetry.sdk.name":      "spanprobe",
		"telemetry.sdk.language":  "go",
	} {
		if got.Resource[key] != want {
			t.Errorf("resource: %s is %v, not %v", key, got.Resource[key], want)
		}
	}
}
