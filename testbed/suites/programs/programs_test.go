//go:build matrix

package programs

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// program is one of them, and what it is asked.
type program struct {
	pkg       string // Debian's
	path      string // of its executable in the package
	arguments func(folder, address string) []string
	files     map[string]string
	ready     string // path that answers when it is up
	requests  []request
	// http2 asks over HTTP/2 without TLS.
	http2 bool
}

type request struct {
	method, target string
	status         int
}

// quietSyncthing keeps it from talking to anybody else.
const quietSyncthing = `<configuration version="35"><options>
<listenAddress>tcp://127.0.0.1:0</listenAddress><globalAnnounceEnabled>false</globalAnnounceEnabled>
<localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled>
<urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled><autoUpgradeIntervalH>0</autoUpgradeIntervalH>
<startBrowser>false</startBrowser></options></configuration>`

func programs() []program {
	return []program{
		{
			pkg: "prometheus", path: "usr/bin/prometheus", ready: "/-/ready",
			files: map[string]string{"prometheus.yml": "global: {scrape_interval: 1h}\n"},
			arguments: func(folder, address string) []string {
				return []string{
					"--config.file=" + filepath.Join(folder,
						"prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(folder, "data"),
					"--web.listen-address=" + address, "--web.enable-lifecycle",
				}
			},
			requests: []request{
				{"GET", "/-/healthy", 200},
				{"GET", "/api/v1/query?query=up", 200},
				{
					"GET",
					"/api/v1/query?query=)", 400,
				},
				{"POST", "/-/reload", 200},
				{"GET", "/nowhere/at/all", 404},
				{
					"GET", "/metrics",
					200,
				},
				{"HEAD", "/-/healthy", 200},
			},
		},
		{
			pkg:   "prometheus-alertmanager",
			path:  "usr/bin/prometheus-alertmanager",
			ready: "/-/ready",
			files: map[string]string{
				"alertmanager.yml": "route: {receiver: none}\nreceivers: [{name: none}]\n",
			},
			arguments: func(folder, address string) []string {
				return []string{
					"--config.file=" + filepath.Join(folder,
						"alertmanager.yml"), "--storage.path=" + filepath.Join(folder, "data"),
					"--web.listen-address=" + address, "--cluster.listen-address=",
				}
			},
			requests: []request{
				{"GET", "/-/healthy", 200}, {"GET", "/api/v2/status", 200}, {
					"GET",
					"/api/v2/silence/none", 422,
				}, {"GET", "/metrics", 200},
			},
		},
		{
			pkg: "caddy", path: "usr/bin/caddy", ready: "/",
			files: map[string]string{"index.html": "<p>hello</p>\n"},
			arguments: func(folder, address string) []string {
				return []string{"file-server", "--listen", address, "--root", folder}
			},
			requests: []request{
				{"GET", "/index.html", 200}, {"GET", "/missing", 404}, {"HEAD", "/", 200}, {
					"POST",
					"/", 200,
				}, {"GET", "/?a=b&c", 200},
			},
		},
		{
			pkg:   "caddy",
			path:  "usr/bin/caddy",
			ready: "/",
			http2: true,
			files: map[string]string{
				"Caddyfile": "{\n\tadmin off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\nhttp://127.0.0.1:{$PORT} {\n\trespond /teapot 418\n\trespond / 200\n\trespond 404\n}\n",
			},
			arguments: func(folder, _ string) []string {
				return []string{
					"run", "--adapter", "caddyfile", "--config",
					filepath.Join(folder, "Caddyfile"),
				}
			},
			requests: []request{
				{"GET", "/teapot", 418},
				{"GET", "/missing", 404},
				{"GET", "/?a=b", 200},
			},
		},
		{
			pkg: "syncthing", path: "usr/bin/syncthing", ready: "/",
			files: map[string]string{"config.xml": quietSyncthing},
			arguments: func(folder, address string) []string {
				return []string{
					"serve", "--no-browser", "--no-upgrade", "--no-restart",
					"--home=" + folder, "--gui-address=http://" + address,
				}
			},
			requests: []request{
				{"GET", "/rest/system/status", 403}, {"GET", "/nowhere", 404}, {
					"GET", "/",
					200,
				}, {"HEAD", "/", 200},
			},
		},
	}
}

func TestProgramsThatNobodyHereWroteHaveRightSpans(t *testing.T) {
	for _, p := range programs() {
		name := p.pkg
		if p.http2 {
			name += " over HTTP/2"
		}
		t.Run(name, func(t *testing.T) {
			root := unpack(t, p.pkg)
			executable := filepath.Join(root, p.path)
			address := loopback.Refusing(t)
			run(t, root, executable, p, address)
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			}, Timeout: tracing.Patience}
			tracing.Eventually(t, func() bool {
				response, err := client.Get("http://" + address + p.ready)
				if err != nil {
					return false
				}
				response.Body.Close()
				return response.StatusCode == http.StatusOK
			}, "%s to be up", name)
			client.CloseIdleConnections()

			tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{
				Exe:  executable,
				Port: int(port(t, address)),
			}}})
			tracer.AwaitTracing(t, 1)
			version := "1.1"
			if p.http2 {
				version = "2"
				transport := &http.Transport{Protocols: new(http.Protocols)}
				transport.Protocols.SetUnencryptedHTTP2(true)
				defer transport.CloseIdleConnections()
				client.Transport = transport
			}
			for i, r := range p.requests {
				traceID := fmt.Sprintf("%032x", i+1)
				request, err := http.NewRequest(r.method, "http://"+address+r.target, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("traceparent", "00-"+traceID+"-00000000000000aa-01")
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != r.status {
					t.Errorf(
						"%s %s: answered with %d, not %d: the program is another than expected",
						r.method, r.target, response.StatusCode, r.status,
					)
				}
				// A program may ask itself: only our own request has this id.
				var span tracing.Span
				tracing.Eventually(t, func() bool {
					found := 0
					for _, s := range tracer.Spans() {
						if s.TraceID().String() == traceID {
							span = s
							found++
						}
					}
					return found == 1
				}, "one span of %s %s", r.method, r.target)
				path, _, _ := strings.Cut(r.target, "?")
				for key, want := range map[string]any{
					"http.request.method": r.method, "url.path": path,
					"http.response.status_code": int64(response.StatusCode),
					"network.protocol.version":  version, "server.address": "127.0.0.1",
					"client.address": "127.0.0.1", "url.scheme": "http",
				} {
					if got := span.Values()[key]; got != want {
						t.Errorf("%s %s: %s is %v, not %v", r.method, r.target, key, got, want)
					}
				}
				if span.ParentSpanID().String() != "00000000000000aa" {
					t.Errorf("%s %s: parent %s", r.method, r.target, span.ParentSpanID())
				}
			}
			if stats := tracer.MustStats(t); tracing.Lost(stats) != 0 {
				t.Errorf("nothing is lost: %+v", stats)
			}
		})
	}
}
