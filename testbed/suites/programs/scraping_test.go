//go:build matrix

package programs

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// scraping has prometheus find its targets in a file, so that it scrapes nothing
// before it is traced.
const scraping = `scrape_configs:
- job_name: all
  scrape_interval: 1s
  file_sd_configs: [{files: [targets.json]}]
`

// scrapes answers the scrapes in turn, each with what it is told, and all that
// follow with 204. One that is told 0 gets no answer before prometheus gives up.
type scrapes struct {
	told []int
	n    atomic.Int64
}

func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.n.Add(1)) - 1
	switch {
	case n >= len(s.told):
		w.WriteHeader(http.StatusNoContent)
	case s.told[n] == 0:
		<-r.Context().Done()
	default:
		w.WriteHeader(s.told[n])
	}
}

func TestEveryScrapeOfPrometheusIsASpan(t *testing.T) {
	server := &scrapes{told: []int{200, 503, 200, 0, 404, 200}}
	metrics := httptest.NewServer(server)
	t.Cleanup(metrics.Close)
	address, up, down := loopback.Refusing(t), metrics.Listener.Addr().
		String(),
		loopback.Refusing(t)
	root := unpack(t, "prometheus")
	folder, executable := t.TempDir(), filepath.Join(root, "usr/bin/prometheus")
	run(t, root, executable, program{
		files: map[string]string{"prometheus.yml": strings.ReplaceAll(scraping, "targets.json",
			filepath.Join(folder, "targets.json"))},
		arguments: func(configuration, _ string) []string {
			return []string{
				"--config.file=" + filepath.Join(configuration,
					"prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(configuration,
					"data"),
				"--web.listen-address=" + address,
			}
		},
	}, address)
	tracing.Eventually(t, func() bool {
		return get("http://"+address+"/-/ready") == "200"
	}, "prometheus to be up")
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
		Exe:  executable,
		Port: int(port(t, address)),
	}}})
	tracer.AwaitTracing(t, 1)
	targets, whole := filepath.Join(folder, "targets.json"), filepath.Join(folder, "targets.new")
	if err := os.WriteFile(whole, fmt.Appendf(nil, `[{"targets": [%q, %q]}]`, up, down),
		0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(whole, targets); err != nil {
		t.Fatal(err)
	}

	var want []span
	for _, status := range server.told {
		s := httpAttempt(t, up, "/metrics").failed("context.deadlineExceededError")
		if status != 0 {
			s = httpCall(t, up, "/metrics", status)
		}
		// Its connections are in a type of go-conntrack's, into which nobody looks.
		want = append(want, s.plus(map[string]any{
			"network.peer.address": nil,
			"network.peer.port":    nil,
		}))
	}
	tracing.Eventually(t, func() bool {
		return len(to(t, tracer, up)) > len(want) && len(to(t, tracer, down)) > 0
	}, "%d scrapes", len(want)+1)
	if diff := cmp.Diff(want, to(t, tracer, up)[:len(want)]); diff != "" {
		t.Errorf("the spans are not the scrapes (-want +got):\n%s", diff)
	}
	for _, s := range to(t, tracer, down) {
		if diff := cmp.Diff(httpAttempt(t, down, "/metrics").failed("*net.OpError"),
			s); diff != "" {
			t.Errorf("the span is not that of a refused scrape (-want +got):\n%s", diff)
		}
	}
	lostNothing(t, tracer)
}

// to are the calls to a server, in the order in which they began.
func to(t *testing.T, tracer *tracing.Tracer, address string) []span {
	t.Helper()
	spans := slices.DeleteFunc(tracer.Spans(), func(s tracing.Span) bool {
		return s.Kind() != ptrace.SpanKindClient ||
			s.Values()["server.port"] != int64(port(t, address))
	})
	slices.SortFunc(spans, func(a, b tracing.Span) int {
		return a.StartTimestamp().AsTime().Compare(b.StartTimestamp().AsTime())
	})
	var list []span
	for _, s := range spans {
		list = append(list, known(t, s))
	}
	return list
}
