package grpc

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// way is one in which calls come to a server.
type way struct {
	name      string
	arguments []string // of the server
	network   string
	dialer    *net.Dialer
	secrets   credentials.TransportCredentials
}

func ways(t *testing.T) []way {
	t.Helper()
	secure := []string{"-tls"}
	socket := func() []string {
		return []string{"-network", "unix", "-listen", filepath.Join(t.TempDir(), "socket")}
	}
	bound := &net.UnixAddr{Net: "unix", Name: filepath.Join(t.TempDir(), "client")}
	plain := insecure.NewCredentials()
	return []way{
		{"IPv6", []string{"-listen", "[::1]:0"}, "tcp", &net.Dialer{}, plain},
		{"a unix socket", socket(), "unix", &net.Dialer{}, plain},
		{"a unix socket from another", socket(), "unix", &net.Dialer{LocalAddr: bound}, plain},
		{"TLS", secure, "tcp", &net.Dialer{}, trusting()},
		{"ServeHTTP", []string{"-http"}, "tcp", &net.Dialer{}, trusting()},
		{"one worker", []string{"-workers", "1"}, "tcp", &net.Dialer{}, plain},
		{"workers", []string{"-workers", "8"}, "tcp", &net.Dialer{}, plain},
	}
}

// fewExchanges are a part of what goes over a plain connection.
func fewExchanges() []exchange {
	list := []exchange{unregistered("no such method", "/testbed.Calls/Nothing")}
	for _, k := range kinds {
		list = append(list,
			exchange{name: "a call", kind: k.kind},
			exchange{
				name: "an error of the server's", kind: k.kind,
				metadata: []string{"ending", "code=13"}, code: codes.Internal,
			},
			exchange{
				name: "a remote parent with a state", kind: k.kind,
				metadata: []string{"traceparent", sampled, "tracestate", "a=1"},
				traceID:  traceID, parentID: parentID, traceState: "a=1",
			},
		)
	}
	return complete(list)
}

func TestACallIsOneSpanWhateverWayItComes(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			for _, way := range ways(t) {
				t.Run(way.name, func(t *testing.T) {
					server := target.Start(t, target.MustCompile(t, build), way.arguments...)
					tracer := tracing.Start(t,
						engine.Config{Targets: []engine.Target{{PID: server.PID}}})
					tracer.AwaitTracing(t, 1)
					exchangeAll(t, tracer, connect(t, way.network, server.Address, way.dialer,
						way.secrets), fewExchanges())
				})
			}
		})
	}
}

// A handler of methods that are not registered answers what would be
// UNIMPLEMENTED without it.
func TestAHandlerOfUnknownMethodsHasASpanForEach(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build), "-unknown")
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			known := unregistered("a method", "/testbed.Any/Method")
			other := unregistered("another", "/Other/Method")
			failing := unregistered("a failing one", "/testbed.Any/Fails")
			known.code, other.code, failing.code = codes.OK, codes.OK, codes.DataLoss
			failing.metadata = []string{"ending", "code=15"}
			exchangeAll(t, tracer, overTCP(t, server.Address),
				complete([]exchange{known, other, failing, {name: "a registered method"}}))
		})
	}
}

func TestWhatTheCallerDoesNotSampleHasNoSpan(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server := target.Start(t, target.MustCompile(t, build))
			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
			tracer.AwaitTracing(t, 1)
			r := overTCP(t, server.Address)
			calls := 0
			for _, k := range kinds {
				for _, parent := range []string{sampled, sampled[:len(sampled)-1] + "0"} {
					_, err := r.call(context.Background(), k.kind, "/"+k.method, 0,
						[]string{"traceparent", parent})
					mustEnd(t, k.kind, err, codes.OK)
					calls++
				}
			}
			spans := inOrder(t, tracer, calls/2)
			for i, got := range spans {
				if got.Name() != kinds[i].method || got.ParentSpanID().String() != parentID {
					t.Errorf("span %d is of %s, with the parent %q", i, got.Name(),
						got.ParentSpanID())
				}
			}
			tracing.Eventually(t, func() bool {
				return tracer.MustStats(t).NotSampled == uint64(calls/2)
			}, "%d calls that are not sampled", calls/2)
			if stats := tracer.MustStats(t); stats.Operations != uint64(calls) ||
				tracing.Lost(stats) != 0 {
				t.Errorf("%d calls, half of them not sampled: %+v", calls, stats)
			}
		})
	}
}
