package nethttp

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// netErrands are those of the Transport of golang.org/x/net/http2 by itself ("net"), with
// TLS and without, or below net/http's ("below"), where it has streams over TLS only.
func netErrands(u *upstreams, way string) []errand {
	answered := func(changes map[string]any) []map[string]any {
		return []map[string]any{merged(map[string]any{"network.protocol.version": "2"}, changes)}
	}
	failed := func(code int64, text string) []map[string]any {
		return answered(map[string]any{"http.response.status_code": code, "error.type": text})
	}
	unanswered := map[string]any{"http.response.status_code": nil, "network.protocol.version": nil}
	unconnected := merged(unanswered, map[string]any{
		"network.peer.address": nil,
		"network.peer.port":    nil,
	})
	type server struct{ name, url, refusing string }
	servers := []server{{"TLS", u.tls.URL, "https://" + u.refusing}}
	if way == "net" {
		servers = append(servers, server{"no TLS", u.http2.URL, "http://" + u.refusing})
	}
	var all []errand
	for _, s := range servers {
		list := []errand{
			{name: "plain", order: order{URL: s.url + "/hello"}, spans: answered(nil)},
			{name: "no path", order: order{URL: s.url}, spans: answered(nil)},
			{
				name: "a query", order: order{URL: s.url + "/a?token=secret&flag"},
				urls: []string{s.url + "/a?token=REDACTED&REDACTED"}, spans: answered(nil),
			},
			{
				name: "another method", order: order{Method: "PUT", URL: s.url + "/a"},
				spans: answered(map[string]any{"http.request.method": "PUT"}),
			},
			{
				name: "not found", order: order{URL: s.url + "/status/404"},
				spans: failed(404, "404"),
			},
			{
				name: "an error of the server's", order: order{URL: s.url + "/status/503"},
				spans: failed(503, "503"),
			},
			{
				name: "a redirect", order: order{URL: s.url + "/once"}, urls: []string{s.url +
					"/once", s.url + "/status/200"},
				spans: append(answered(map[string]any{"http.response.status_code": int64(302)}),
					answered(map[string]any{"http.request.resend_count": int64(1)})...),
			},
			{
				name: "refused", order: order{URL: s.refusing + "/a"},
				spans: []map[string]any{unconnected}, failed: true,
			},
			{
				name: "a timeout", order: order{URL: s.url + "/never", Timeout: 300},
				spans: []map[string]any{unanswered}, failed: true,
			},
			{
				name: "a cancelled request", order: order{URL: s.url + "/never", Cancel: 300},
				spans: []map[string]any{unanswered}, failed: true,
			},
		}
		for _, e := range list {
			e.name, e.order.Trust = s.name+": "+e.name, true
			all = append(all, e)
		}
	}
	all = append(all, errand{
		name:  "a certificate that is not trusted",
		order: order{URL: u.tls.URL + "/a"}, spans: []map[string]any{unconnected}, failed: true,
	})
	for i := range all {
		all[i].name, all[i].order.Way = way+", "+all[i].name, way
	}
	return all
}

func TestEveryCallOfNetGivesASpanThatSaysWhatCameOfIt(t *testing.T) {
	u := startUpstreams(t)
	for _, build := range buildsWithNet(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			compareErrands(t, tagged(build, "net"),
				append(netErrands(u, "net"), netErrands(u, "below")...))
		})
	}
}

// serveHTTP2 starts a server that speaks HTTP/2 without TLS, and without being asked to.
func serveHTTP2(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}
