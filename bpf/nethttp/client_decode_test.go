package nethttp

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// laidOutCall lays out a record of a call as the programs do: method, scheme,
// host, path, query, socket, error.
func laidOutCall(change func(fixed []byte), texts ...string) []byte {
	var layout clientClientSpan
	fixed := make([]byte, callTextsAt)
	at := unsafe.Offsetof(layout.Method)
	var all strings.Builder
	for _, s := range texts {
		binary.LittleEndian.PutUint16(fixed[at:], uint16(len(s)))
		binary.LittleEndian.PutUint16(fixed[at+2:], uint16(len(s)))
		at += unsafe.Offsetof(layout.Scheme) - unsafe.Offsetof(layout.Method)
		all.WriteString(s)
	}
	change(fixed)
	return append(fixed, all.String()...)
}

func TestARecordOfACallBecomesASpan(t *testing.T) {
	var layout clientClientSpan
	answered := laidOutCall(func(fixed []byte) {
		binary.LittleEndian.PutUint16(fixed[unsafe.Offsetof(layout.Status):], 404)
		fixed[unsafe.Offsetof(layout.ProtoMajor)] = 2
		fixed[unsafe.Offsetof(layout.Resends)] = 1
		peer := fixed[unsafe.Offsetof(layout.Peer):]
		copy(peer, []byte{192, 0, 2, 7})
		binary.LittleEndian.PutUint16(peer[unsafe.Offsetof(layout.Peer.Port):], 8443)
		peer[unsafe.Offsetof(layout.Peer.Kind)] = wire.PeerIPv4
	}, "", "https", "shop.example:8443", "/items/é", "a=b")
	refused := laidOutCall(func(fixed []byte) { fixed[unsafe.Offsetof(layout.Failed)] = 1 },
		"POST", "http", "shop.example", "/", "", "", "*net.OpError")
	for name, c := range map[string]struct {
		record []byte
		want   model.Span
	}{
		"answered": {answered, model.Span{
			Kind: model.KindClient, Name: "GET", Status: model.StatusError,
			Attributes: []model.Attribute{
				model.String("http.request.method", "GET"),
				model.String("url.full", "https://shop.example:8443/items/%C3%A9?a=b"),
				model.String("server.address", "shop.example"),
				model.Int("server.port", 8443),
				model.Int("http.response.status_code", 404),
				model.String("network.protocol.version", "2"),
				model.Int("http.request.resend_count", 1),
				model.String("error.type", "404"),
				model.String("network.peer.address", "192.0.2.7"),
				model.Int("network.peer.port", 8443),
			},
		}},
		"refused": {refused, model.Span{
			Kind: model.KindClient, Name: "POST", Status: model.StatusError,
			Attributes: []model.Attribute{
				model.String("http.request.method", "POST"),
				model.String("url.full", "http://shop.example/"),
				model.String("server.address", "shop.example"),
				model.Int("server.port", 80),
				model.String("error.type", "*net.OpError"),
			},
		}},
	} {
		var got model.Span
		if err := decodeCall(
			c.record, &got, probe.DecodeOptions{Query: model.QueryKeep},
		); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestWhatCouldNotBeReadOfACallIsNotMadeUp(t *testing.T) {
	var layout clientClientSpan
	for name, at := range map[string]uintptr{
		"http.request.method":    unsafe.Offsetof(layout.Method),
		"url.full":               unsafe.Offsetof(layout.Path),
		"url.full without query": unsafe.Offsetof(layout.Query),
		"server.address":         unsafe.Offsetof(layout.Host),
	} {
		texts := []string{"POST", "http", "shop.example", "/", "a=b"}
		n := (at - unsafe.Offsetof(layout.Method)) / (unsafe.Offsetof(layout.Scheme) - unsafe.Offsetof(layout.Method))
		texts[n] = ""
		var span model.Span
		err := decodeCall(
			laidOutCall(
				func(fixed []byte) { binary.LittleEndian.PutUint16(fixed[at+2:], 0xffff) },
				texts...),
			&span,
			probe.DecodeOptions{Query: model.QueryKeep},
		)
		if err != nil {
			t.Fatal(err)
		}
		for _, attribute := range span.Attributes {
			if key, _, _ := strings.Cut(name, " "); attribute.Key == key {
				t.Errorf("%s is %v", name, attribute)
			}
		}
	}
}

func TestAURLIsPutTogetherAgain(t *testing.T) {
	long := strings.Repeat("é", pathLimit/2)
	for _, c := range []struct {
		call call
		want string
	}{
		{call{host: text{Raw: "a.example"}}, "http://a.example"},
		{call{host: text{Raw: "[::1]:80"}, path: text{Raw: "/a b"}}, "http://[::1]:80/a%20b"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "/a%2Fb"}, raw: true}, "http://a.example/a%2Fb"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "/a b"}, raw: true}, "http://a.example/a%20b"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "/100%"}, raw: true}, "http://a.example/100%25"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "//b.example/c"}, opaque: true}, "http://b.example/c"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "/a", Cut: true}, query: text{Raw: "x"}}, "http://a.example/a"},
		{call{host: text{Raw: "a.example", Cut: true}}, ""},
		{call{path: text{Raw: "/a"}}, ""},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "/b%20c"}, query: text{Raw: "x"}, opaque: true}, "http://a.example/b%20c?x"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "//user:secret@b.example:81/c"}, opaque: true}, "http://b.example:81/c"},
		{call{host: text{Raw: "a.example"}, path: text{Raw: "b.example/c"}, opaque: true}, ""},
		{call{host: text{Raw: "/run/docker.sock"}, path: text{Raw: "/info"}}, "http://%2Frun%2Fdocker.sock/info"},
		{call{host: text{Raw: "[fe80::1%eth0]:80"}, path: text{Raw: "/a"}}, "http://[fe80::1%25eth0]:80/a"},
	} {
		c.call.scheme.Raw = "http"
		if got := fullURL(&c.call); got != c.want {
			t.Errorf("%+v: %q, want %q", c.call, got, c.want)
		}
	}
	got := fullURL(
		&call{scheme: text{Raw: "http"}, host: text{Raw: "a.example"}, path: text{Raw: "/" + long}},
	)
	if len(got) > urlLimit || strings.HasSuffix(got, "%") ||
		strings.HasSuffix(got[:len(got)-1], "%") {
		t.Errorf("%d bytes, ending with %q", len(got), got[len(got)-6:])
	}
}

func FuzzDecodeCall(f *testing.F) {
	f.Add(laidOutCall(func([]byte) {}, "GET", "http", "shop.example:80", "/a", "b=c", "", ""))
	f.Add(laidOutCall(func([]byte) {}, "\xff", "x", "\xe2\x82", "%zz", "\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, mode := range []model.QueryMode{model.QueryRedact, model.QueryKeep, model.QueryDrop} {
			var span model.Span
			if decodeCall(raw, &span, probe.DecodeOptions{Query: mode}) != nil {
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

func TestTheLimitsOfACallAreThoseOfThePrograms(t *testing.T) {
	if clientTextLimitMETHOD_LIMIT != clientTextLimit(methodLimit) ||
		clientTextLimitHOST_LIMIT != clientTextLimit(hostLimit) ||
		uint16(clientResponseStatusSTATUS_UNREADABLE) != statusUnreadable {
		t.Error("a call has other limits than a request, and is decoded by those")
	}
	all := methodLimit + schemeLimit + hostLimit + pathLimit + queryLimit + socketLimit + errorLimit
	if room := len(clientClientSpan{}.Texts); room != all {
		t.Errorf("the programs have room for %d bytes, the limits add up to %d", room, all)
	}
}
