package nethttp

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/record"
	"github.com/spanprobe/spanprobe/internal/wire"
)

func TestATargetIsSplitAsItCame(t *testing.T) {
	for target, want := range map[string][2]string{
		"/":                          {"/", ""},
		"/a/b?x=1&y":                 {"/a/b", "x=1&y"},
		"/a%20b?q=%3F?":              {"/a%20b", "q=%3F?"},
		"/a?":                        {"/a", ""},
		"*":                          {"*", ""},
		"http://shop.example/a?x":    {"/a", "x"},
		"http://shop.example":        {"/", ""},
		"http://shop.example?x=1":    {"/", "x=1"},
		"shop.example:443":           {"", ""},
		"":                           {"", ""},
		"/http://shop.example/a?b=c": {"/http://shop.example/a", "b=c"},
	} {
		path, query := splitTarget(target)
		if got := [2]string{path, query}; got != want {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
}

func TestAHostGivesAnAddressAndThePortItNames(t *testing.T) {
	for _, c := range []struct {
		host  text
		meant uint16
		want  record.Attributes
	}{
		{text{Raw: "shop.example:8080"}, 80, record.Attributes{model.String("server.address", "shop.example"), model.Int("server.port", 8080)}},
		{text{Raw: "shop.example"}, 80, record.Attributes{model.String("server.address", "shop.example"), model.Int("server.port", 80)}},
		{text{Raw: "[::1]"}, 0, record.Attributes{model.String("server.address", "::1")}},
		{text{Raw: "[::1"}, 80, nil},
		{text{Raw: ""}, 80, nil},
		{text{Raw: "/run/docker.sock"}, 80, record.Attributes{model.String("server.address", "/run/docker.sock")}},
		{text{Raw: "/run/a:80"}, 80, record.Attributes{model.String("server.address", "/run/a:80")}},
		{text{Raw: "a.very.long.name", Cut: true}, 80, nil},
	} {
		var got record.Attributes
		addServer(&got, c.host, c.meant)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.host, diff)
		}
	}
}

func TestARouteIsThePathOfAPattern(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                           "",
		"/":                          "/",
		"/items/{id}":                "/items/{id}",
		"GET /items/{id}":            "/items/{id}",
		"shop.example/items/":        "/items/",
		"GET shop.example/items/{$}": "/items/{$}",
		"no slash at all":            "",
	} {
		if got := routeOfPattern(pattern); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}

func TestAMethodThatTheConventionsDoNotKnowIsKeptApart(t *testing.T) {
	for _, c := range []struct {
		method          text
		known, original string
	}{
		{text{Raw: "GET", Cut: false}, "GET", ""},
		{text{Raw: "PATCH", Cut: false}, "PATCH", ""},
		{text{Raw: "get", Cut: false}, "_OTHER", "get"},
		{text{Raw: "PROPFIND", Cut: false}, "_OTHER", "PROPFIND"},
		{text{Raw: "GET", Cut: true}, "_OTHER", "GET"}, // the beginning of a longer one
		{text{Raw: "", Cut: false}, "", ""},
	} {
		known, original := conventionalMethod(c.method)
		if known != c.known || original != c.original {
			t.Errorf("%v: %q, %q", c.method, known, original)
		}
	}
}

// laidOut lays out a record as the programs do.
func laidOut(change func(fixed []byte), texts ...string) []byte {
	fixed := make([]byte, textsAt)
	at := tracestateAt
	var all strings.Builder
	for _, s := range texts {
		binary.LittleEndian.PutUint16(fixed[at:], uint16(len(s)))
		binary.LittleEndian.PutUint16(fixed[at+2:], uint16(len(s)))
		at += targetAt - methodAt
		all.WriteString(s)
	}
	change(fixed)
	return append(fixed, all.String()...)
}

func TestARecordBecomesASpan(t *testing.T) {
	raw := laidOut(func(fixed []byte) {
		binary.LittleEndian.PutUint16(fixed[statusAt:], 502)
		fixed[protoMajorAt], fixed[protoMinorAt], fixed[tlsAt] = 1, 1, 1
	}, "a=1", "PUT", "/items/1?a=b", "shop.example", "[::ffff:192.0.2.7]:5000", "agent/1", "PUT /items/{id}")
	var got model.Span
	if err := decodeRequest(raw, &got, probe.DecodeOptions{Query: model.QueryKeep}); err != nil {
		t.Fatal(err)
	}
	want := model.Span{
		Kind:       model.KindServer,
		Name:       "PUT /items/{id}",
		Status:     model.StatusError,
		TraceState: "a=1",
		Attributes: []model.Attribute{
			model.String("http.request.method", "PUT"),
			model.String("url.scheme", "https"),
			model.String("url.path", "/items/1"),
			model.String("url.query", "a=b"),
			model.String("http.route", "/items/{id}"),
			model.Int("http.response.status_code", 502),
			model.String("error.type", "502"),
			model.String("server.address", "shop.example"),
			model.String("client.address", "192.0.2.7"),
			model.String("network.peer.address", "192.0.2.7"),
			model.Int("network.peer.port", 5000),
			model.String("network.protocol.version", "1.1"),
			model.String("user_agent.original", "agent/1"),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestARecordThatIsTooShortIsAnError(t *testing.T) {
	whole := laidOut(func([]byte) {}, "", "GET", "/")
	for n := range whole {
		var span model.Span
		if err := decodeRequest(
			whole[:n], &span, probe.DecodeOptions{Query: model.QueryKeep},
		); err == nil {
			t.Errorf("%d of %d bytes were enough", n, len(whole))
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(
		laidOut(
			func([]byte) {}, "a=1", "GET", "/a?b=c", "shop.example:80", "127.0.0.1:1", "agent",
			"GET /a",
		),
	)
	f.Add(laidOut(func(fixed []byte) { fixed[joinedAt] = 1 }, "", "\xff\xc3", "\xe2\x82"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, mode := range []model.QueryMode{model.QueryRedact, model.QueryKeep, model.QueryDrop} {
			var span model.Span
			if decodeRequest(raw, &span, probe.DecodeOptions{Query: mode}) != nil {
				return
			}
			for _, attribute := range span.Attributes {
				if !utf8.ValidString(attribute.Str) {
					t.Errorf("%s is not valid UTF-8: %q", attribute.Key, attribute.Str)
				}
			}
		}
	})
}

func TestAStatusIsWhatWasWrittenAndAnErrorSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		request request
		status  int64
		failure string
	}{
		"nothing written":            {request{}, 200, ""},
		"written":                    {request{status: 404}, 404, ""},
		"an error of the server's":   {request{status: 503}, 503, "503"},
		"not readable":               {request{status: statusUnreadable}, 0, ""},
		"a panic":                    {request{ending: serverEndingENDING_PANICKED}, 0, "panic"},
		"a panic after a status":     {request{status: 200, ending: serverEndingENDING_PANICKED}, 200, "panic"},
		"an abort":                   {request{ending: serverEndingENDING_ABORTED}, 0, "http.ErrAbortHandler"},
		"an exit":                    {request{ending: serverEndingENDING_EXITED}, 0, "runtime.Goexit"},
		"a hijack":                   {request{ending: serverEndingENDING_HIJACKED}, 0, ""},
		"a hijack after a status":    {request{status: 101, ending: serverEndingENDING_HIJACKED}, 101, ""},
		"a hijack, an error written": {request{status: 500, ending: serverEndingENDING_HIJACKED}, 500, "500"},
	} {
		status := responseStatus(&c.request)
		if failure := errorType(&c.request, status); status != c.status || failure != c.failure {
			t.Errorf("%s: %d, %q", name, status, failure)
		}
	}
}

func TestTheLimitsAreThoseOfThePrograms(t *testing.T) {
	// The method and the target are kept with the byte between them.
	all := wire.TracestateLimit + methodLimit + 1 + targetLimit + hostLimit + remoteLimit + userAgentLimit + routeLimit
	if room := len(serverServerSpan{}.Texts); room != all {
		t.Errorf("the programs have room for %d bytes, the limits add up to %d", room, all)
	}
}
