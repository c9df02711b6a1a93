//go:build matrix

package programs

import (
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// etcdAgent is the user agent of the grpc that Debian built both with: no version
// of it is in their build information.
const etcdAgent = "grpc-go/1.33.3"

// errand is a run of etcdctl, and the calls that it makes.
type errand struct {
	arguments []string
	code      int    // that it ends with
	says      string // among other things
	calls     map[string]string
}

func errands() []errand {
	const ok = "OK"
	return []errand{
		{
			arguments: []string{"put", "key", "value"}, says: "OK",
			calls: map[string]string{"KV/Put": ok},
		},
		{
			arguments: []string{"get", "key"}, says: "value",
			calls: map[string]string{"KV/Range": ok},
		},
		{
			arguments: []string{"del", "key"}, says: "1",
			calls: map[string]string{"KV/DeleteRange": ok},
		},
		{
			arguments: []string{"get", "key", "--rev", "100"}, code: 1, says: "future revision",
			calls: map[string]string{"KV/Range": "OUT_OF_RANGE"},
		},
		{
			arguments: []string{"compaction", "2"}, says: "compacted",
			calls: map[string]string{"KV/Compact": ok},
		},
		{
			arguments: []string{"compaction", "1"}, code: 1, says: "compacted",
			calls: map[string]string{"KV/Compact": "OUT_OF_RANGE"},
		},
		{
			arguments: []string{"lease", "grant", "60"}, says: "granted",
			calls: map[string]string{"Lease/LeaseGrant": ok},
		},
		{
			arguments: []string{"lease", "timetolive", "1"},
			calls:     map[string]string{"Lease/LeaseTimeToLive": ok},
		},
		{
			arguments: []string{"lease", "revoke", "1"}, code: 1, says: "not found",
			calls: map[string]string{"Lease/LeaseRevoke": "NOT_FOUND"},
		},
		{
			arguments: []string{"member", "list"}, says: "started",
			calls: map[string]string{"Cluster/MemberList": ok},
		},
		{
			arguments: []string{"auth", "enable"}, code: 1, says: "root user does not exist",
			calls: map[string]string{"Auth/AuthEnable": "FAILED_PRECONDITION"},
		},
		{
			arguments: []string{"snapshot", "save", "snapshot.db"}, says: "snapshot.db",
			calls: map[string]string{"Maintenance/Snapshot": ok},
		},
	}
}

func TestEtcdAndItsClientHaveTheSameSpans(t *testing.T) {
	server := filepath.Join(unpack(t, "etcd-server"), "usr/bin/etcd")
	client := filepath.Join(unpack(t, "etcd-client"), "usr/bin/etcdctl")
	address := loopback.Refusing(t)
	startEtcd(t, server, address)
	tracing.Eventually(t, func() bool {
		return get("http://"+address+"/health") == "200"
	}, "etcd to be up")
	tracer := tracing.Start(t, executables(server, client))
	tracer.AwaitTracing(t, 1)

	var want []times
	for _, e := range errands() {
		code, said := traced(t, tracer, client,
			append([]string{"--endpoints", address}, e.arguments...)...)
		if code != e.code || !strings.Contains(said, e.says) {
			t.Fatalf("etcdctl %q ended with %d, and does not say %q:\n%s", e.arguments, code,
				e.says, said)
		}
		for method, status := range e.calls {
			want = append(want, ended(grpcCall(t, address, "etcdserverpb."+method), status),
				ended(grpcServed(t, address, "etcdserverpb."+method, etcdAgent), status))
		}
	}
	expect(t, tracer, want...)
	expectUntold(t, tracer, len(errands()))
}

// etcd's gateway takes JSON over HTTP, and calls the server that it is a part of.
func TestAGatewayHasSpansOfHTTPAndOfGRPC(t *testing.T) {
	server := filepath.Join(unpack(t, "etcd-server"), "usr/bin/etcd")
	address := loopback.Refusing(t)
	startEtcd(t, server, address)
	tracing.Eventually(t, func() bool {
		return get("http://"+address+"/health") == "200"
	}, "etcd to be up")
	tracer := tracing.Start(t, executables(server))
	tracer.AwaitTracing(t, 1)
	const calls = 20
	for range calls {
		response, err := http.Post("http://"+address+"/v3/kv/range", "application/json",
			strings.NewReader(`{"key": "a2V5"}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil ||
			response.StatusCode != http.StatusOK {
			t.Fatalf("answered with %d, %v", response.StatusCode, err)
		}
		response.Body.Close()
	}
	posted := httpServed(t, address, "/v3/kv/range",
		http.StatusOK).plus(map[string]any{"http.request.method": "POST"})
	posted.Name = "POST"
	expect(t, tracer,
		times{calls, posted},
		times{calls, grpcCall(t, address, "etcdserverpb.KV/Range")},
		times{calls, grpcServed(t, address, "etcdserverpb.KV/Range", etcdAgent)})
	expectUntold(t, tracer, calls)
}

// expectUntold expects that no request is the child of a call, and that so many were counted:
// etcd's connections are in a type of cmux's, into which nobody looks.
func expectUntold(t *testing.T, tracer *tracing.Tracer, n int) {
	t.Helper()
	expectJoined(t, tracer, 0)
	if counted := tracer.MustStats(t).Degraded[engine.DegradedUnknownConnection]; counted < uint64(
		n,
	) {
		t.Errorf("%d ends of connections could not be told, of %d requests", counted, n)
	}
}

// ended is a span of a call that ended with a code, which is its caller's fault.
func ended(s span, code string) times {
	if code != "OK" {
		s = s.plus(map[string]any{"rpc.response.status_code": code})
		if s.Kind == "Client" {
			s = s.failed(code)
		}
	}
	return times{1, s}
}

func startEtcd(t *testing.T, executable, address string) {
	t.Helper()
	peer := loopback.Refusing(t)
	c := exec.Command(
		executable,
		"--name",
		"one",
		"--data-dir",
		t.TempDir(),
		"--log-level",
		"error",
		"--logger",
		"zap",
		"--listen-client-urls",
		"http://"+address,
		"--advertise-client-urls",
		"http://"+address,
		"--listen-peer-urls",
		"http://"+peer,
		"--initial-advertise-peer-urls",
		"http://"+peer,
		"--initial-cluster",
		"one=http://"+peer,
	)
	start(t, c)
}
