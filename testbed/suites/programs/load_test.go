package programs

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const loads, atATime = 500, 20

var (
	hey = pinned{"suites/programs/hey", "github.com/rakyll/hey", "programs/hey"}
	ghz = pinned{"suites/programs/ghz", "github.com/bojand/ghz/cmd/ghz", "programs/ghz"}
)

// everyTenth answers every tenth request with an error.
func everyTenth() http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

func TestEveryRequestThatHeyReportsIsASpan(t *testing.T) {
	executable := hey.build(t)
	for _, version := range []string{"1.1", "2"} {
		t.Run("hey over HTTP "+version, func(t *testing.T) {
			server := httptest.NewUnstartedServer(everyTenth())
			arguments := []string{"-n", fmt.Sprint(loads), "-c", fmt.Sprint(atATime)}
			if version == "2" {
				server.EnableHTTP2 = true
				server.StartTLS()
				arguments = append(arguments, "-h2")
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			tracer := tracing.Start(t, executables(executable))
			said := tracedWell(t, tracer, executable, append(arguments, server.URL+"/hey")...)
			for _, line := range []string{"[200]\t450 responses", "[503]\t50 responses"} {
				if !strings.Contains(said, line) {
					t.Fatalf("hey does not report %q:\n%s", line, said)
				}
			}
			as := map[string]any{
				"url.full":                 server.URL + "/hey",
				"network.protocol.version": version,
			}
			address := server.Listener.Addr().String()
			expect(t, tracer,
				times{loads * 9 / 10, httpCall(t, address, "/hey", http.StatusOK).plus(as)},
				times{loads / 10, httpCall(t, address, "/hey",
					http.StatusServiceUnavailable).plus(as)})
		})
	}
}

func TestRequestsOfHeyThatFailAreSpansWithItsErrors(t *testing.T) {
	executable := hey.build(t)
	tracer := tracing.Start(t, executables(executable))
	address := loopback.Refusing(t)
	said := tracedWell(t, tracer, executable, "-n", "50", "-c", "5", "http://"+address+"/")
	if !strings.Contains(said, "[50]\t") || !strings.Contains(said, "connection refused") {
		t.Fatalf("hey does not report that it was refused:\n%s", said)
	}
	expect(t, tracer, times{50, httpAttempt(t, address, "/").failed("*net.OpError")})
}

// answering is a server of gRPC that answers what ghz asks for, every tenth call
// with an error, and says at what address.
func answering(t *testing.T, credentials ...grpc.ServerOption) string {
	t.Helper()
	var n atomic.Int64
	failing := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo,
		handler grpc.UnaryHandler,
	) (any, error) {
		if n.Add(1)%10 == 0 {
			return nil, status.Error(codes.ResourceExhausted, "every tenth")
		}
		return handler(ctx, request)
	}
	server := grpc.NewServer(append(credentials, grpc.UnaryInterceptor(failing))...)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // its end is Stop
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func TestEveryCallThatGhzReportsIsASpan(t *testing.T) {
	const method, reflected = "grpc.health.v1.Health/Check", "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
	executable := ghz.build(t)
	address := answering(t)
	tracer := tracing.Start(t, executables(executable))
	said := tracedWell(t, tracer, executable, "--insecure", "--call", method, "-d", "{}",
		"-n", fmt.Sprint(loads), "-c", fmt.Sprint(atATime), "--connections", "4", address)
	for _, line := range []string{
		"[OK]                  450 responses",
		"[ResourceExhausted]   50 responses",
	} {
		if !strings.Contains(said, line) {
			t.Fatalf("ghz does not report %q:\n%s", line, said)
		}
	}
	exhausted := map[string]any{"rpc.response.status_code": "RESOURCE_EXHAUSTED"}
	expect(t, tracer,
		times{loads * 9 / 10, grpcCall(t, address, method)},
		times{loads / 10, grpcCall(t, address,
			method).failed("RESOURCE_EXHAUSTED").plus(exhausted)},
		// A stream, from which it knows the method, and which it cancels.
		times{1, grpcCall(
			t, address, reflected,
		).failed("CANCELLED").plus(map[string]any{"rpc.response.status_code": "CANCELLED"})})
}
