package programs

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var (
	routeServer = pinned{
		"suites/programs/grpcexamples",
		"google.golang.org/grpc/examples/route_guide/server", "programs/route_guide-server",
	}
	routeClient = pinned{
		"suites/programs/grpcexamples",
		"google.golang.org/grpc/examples/route_guide/client", "programs/route_guide-client",
	}
)

// examplesAgent is the user agent of the version of grpc that the module of the
// examples pins.
const examplesAgent = "grpc-go/1.81.1"

// The example of grpc's own documentation makes calls of all four kinds.
func TestTheRouteGuideHasSpansOfEveryKindOfCall(t *testing.T) {
	server, client := routeServer.build(t), routeClient.build(t)
	folder := command(t, routeServer.module(t), "go", "list", "-m", "-f", "{{.Dir}}",
		"google.golang.org/grpc/examples")
	keys := filepath.Join(strings.TrimSpace(folder), "data", "x509")
	for _, secure := range []bool{false, true} {
		name := "route_guide"
		if secure {
			name += " over TLS"
		}
		t.Run(name, func(t *testing.T) {
			address := loopback.Refusing(t)
			serving := []string{"-port", fmt.Sprint(port(t, address))}
			calling := []string{"-addr", address}
			as := map[string]any{}
			if secure {
				serving = append(serving, "-tls", "-cert_file",
					filepath.Join(keys, "server_cert.pem"), "-key_file", filepath.Join(keys,
						"server_key.pem"))
				calling = append(calling, "-tls", "-ca_file", filepath.Join(keys, "ca_cert.pem"))
				// The client overrides the authority with the name in the certificate.
				as["server.address"], as["server.port"] = "x.test.example.com", nil
			}
			tracer := tracing.Start(t, executables(server, client))
			start(t, exec.Command(server, serving...))
			tracer.AwaitTracing(t, 1)
			listening(t, address)
			const runs = 3
			for range runs {
				tracedWell(t, tracer, client, calling...)
			}
			var want []times
			for method, n := range map[string]int{
				"GetFeature": 2, "ListFeatures": 1,
				"RecordRoute": 1, "RouteChat": 1,
			} {
				method = "routeguide.RouteGuide/" + method
				want = append(want,
					times{runs * n, grpcCall(t, address, method)},
					times{runs * n, grpcServed(t, address, method, examplesAgent).plus(as)})
			}
			expect(t, tracer, want...)
			expectJoined(t, tracer, runs*5)
		})
	}
}

// It ends as soon as it has the error.
func TestACallThatIsRefusedIsASpanThoughItsProgramEndsWithIt(t *testing.T) {
	const runs = 3
	client := routeClient.build(t)
	address := loopback.Refusing(t)
	tracer := tracing.Start(t, executables(client))
	for range runs {
		if code, said := traced(t, tracer, client, "-addr", address); code != 1 {
			t.Fatalf("it ended with %d:\n%s", code, said)
		}
	}
	expect(t, tracer, times{runs, grpcCall(t, address,
		"routeguide.RouteGuide/GetFeature").failed("UNAVAILABLE").plus(map[string]any{
		"rpc.response.status_code": "UNAVAILABLE", "network.peer.address": nil,
		"network.peer.port": nil,
	})})
}
