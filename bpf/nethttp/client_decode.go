package nethttp

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unsafe"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/record"
)

// How many bytes are kept of each text of a call, beside those that a request has as well.
const (
	schemeLimit = int(clientTextLimitSCHEME_LIMIT)
	pathLimit   = int(clientTextLimitPATH_LIMIT)
	queryLimit  = int(clientTextLimitQUERY_LIMIT)
	socketLimit = int(clientTextLimitSOCKET_LIMIT)
	errorLimit  = int(clientTextLimitERROR_LIMIT)
	// urlLimit is how long url.full gets: the escapes of a path make it longer.
	urlLimit = schemeLimit + len("://") + hostLimit + pathLimit + len("?") + queryLimit
)

// call is one record of a client's, taken apart.
type call struct {
	peer                   []byte
	status                 uint16 // 0: there was no response
	protoMajor, protoMinor uint8
	failed                 bool
	resends                uint8
	raw                    bool // the path is escaped
	opaque                 bool // the path is the URL's opaque part

	method, scheme, host, path, query, socket, failure text
}

const callTextsAt = unsafe.Offsetof(clientClientSpan{}.Texts)

func parseCall(raw []byte) (call, error) {
	var layout clientClientSpan
	var c call
	if len(raw) < int(callTextsAt) {
		return c, fmt.Errorf("record of %d bytes, %d expected at the least", len(raw), callTextsAt)
	}
	c.peer = raw[unsafe.Offsetof(layout.Peer):]
	c.status = binary.LittleEndian.Uint16(raw[unsafe.Offsetof(layout.Status):])
	c.protoMajor = raw[unsafe.Offsetof(layout.ProtoMajor)]
	c.protoMinor = raw[unsafe.Offsetof(layout.ProtoMinor)]
	c.failed = raw[unsafe.Offsetof(layout.Failed)] != 0
	c.resends = raw[unsafe.Offsetof(layout.Resends)]
	c.raw = raw[unsafe.Offsetof(layout.Raw)] != 0
	c.opaque = raw[unsafe.Offsetof(layout.Opaque)] != 0
	return c, record.Texts(raw, callTextsAt, []record.Placed{
		{To: &c.method, At: unsafe.Offsetof(layout.Method)},
		{To: &c.scheme, At: unsafe.Offsetof(layout.Scheme)},
		{To: &c.host, At: unsafe.Offsetof(layout.Host)},
		{To: &c.path, At: unsafe.Offsetof(layout.Path)},
		{To: &c.query, At: unsafe.Offsetof(layout.Query)},
		{To: &c.socket, At: unsafe.Offsetof(layout.Socket)},
		{To: &c.failure, At: unsafe.Offsetof(layout.Error)},
	})
}

// decodeCall makes a CLIENT span of a record, by the stable HTTP conventions:
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
func decodeCall(raw []byte, span *model.Span, options probe.DecodeOptions) error {
	c, err := parseCall(raw)
	if err != nil {
		return err
	}
	span.Kind = model.KindClient
	a := record.Attributes(span.Attributes)
	if c.method == (text{}) {
		c.method.Raw = "GET" // what an empty method means: net/http.Request
	}
	method, original := conventionalMethod(c.method)
	a.Add(semconv.HTTPRequestMethodKey, method)
	a.Add(semconv.HTTPRequestMethodOriginalKey, original)
	span.Name = spanName(method, "")

	a.Add(semconv.URLFullKey, redactURL(fullURL(&c), options.Query))
	addServer(&a, c.host, defaultPort(c.scheme.Raw))
	if c.status != 0 && c.status != statusUnreadable {
		a.AddInt(semconv.HTTPResponseStatusCodeKey, int64(c.status))
		a.Add(semconv.NetworkProtocolVersionKey, protocolVersion(c.protoMajor, c.protoMinor))
	}
	if c.resends > 0 {
		a.AddInt(semconv.HTTPRequestResendCountKey, int64(c.resends))
	}
	if failure := callFailure(&c); failure != "" {
		span.Status = model.StatusError
		a.Add(semconv.ErrorTypeKey, failure)
	}
	a.AddPeer(c.peer, c.socket)
	span.Attributes = a
	return nil
}

// callFailure is the error.type of a call that failed, or "": the type of the
// error that RoundTrip returned, or the status.
func callFailure(c *call) string {
	switch {
	case c.failed && c.failure.Raw == "":
		return "_OTHER"
	case c.failed:
		return c.failure.Valid(errorLimit)
	case c.status >= 400 && c.status != statusUnreadable:
		return strconv.Itoa(int(c.status))
	}
	return ""
}

// fullURL puts the URL together again, without credentials and up to where a part of it was cut.
// There is none if a part could not be read, or if the parts make no absolute URL.
func fullURL(c *call) string {
	scheme := c.scheme.Valid(schemeLimit)
	if scheme == "" || c.scheme.Cut || c.host.Cut || c.path.Missing() || c.query.Missing() {
		return ""
	}
	host, path := escapedHost(c.host.Valid(hostLimit)), c.path.Valid(pathLimit)
	switch {
	case !c.opaque:
		if path != "" && path[0] != '/' {
			path = "/" + path
		}
		path = escapedPath(path, c.raw)
	case strings.HasPrefix(path, "//"):
		host, path = splitAuthority(path[len("//"):])
	case path != "" && path[0] != '/':
		return "" // net/http sends the opaque part as it is: net/url.URL.RequestURI
	}
	if host == "" {
		return ""
	}
	full := scheme + "://" + host + path
	if query := c.query.Valid(queryLimit); query != "" && !c.path.Cut &&
		len(full)+len("?")+len(query) <= urlLimit {
		full += "?" + query
	}
	return cutURL(full)
}

// splitAuthority splits what follows the slashes of a URL. The credentials are left out.
func splitAuthority(s string) (host, path string) {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s, path = s[:i], s[i:]
	}
	return s[strings.LastIndexByte(s, '@')+1:], path
}

// escapedHost escapes what no host of a URL has, such as the path of a unix socket.
func escapedHost(host string) string {
	return strings.TrimPrefix((&url.URL{Host: host}).String(), "//")
}

// escapedPath is what net/http sends of a URL's path: its RawPath if that is a
// valid encoding (net/url.URL.EscapedPath).
func escapedPath(path string, raw bool) string {
	u := url.URL{Path: path}
	if raw {
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = plain, path
		}
	}
	return u.EscapedPath()
}

// cutURL cuts a URL at the limit, and not inside of an escape.
func cutURL(full string) string {
	if len(full) <= urlLimit {
		return full
	}
	full = full[:urlLimit]
	if i := strings.LastIndexByte(full, '%'); i > len(full)-len("%00") {
		full = full[:i]
	}
	return full
}

func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}
