package nethttp

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// decode makes a SERVER span of a record, by the stable HTTP conventions:
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
func decode(record []byte, span *model.Span) error {
	r, err := parse(record)
	if err != nil {
		return err
	}
	span.Kind = model.KindServer
	span.TraceState = wholeEntries(r.tracestate)
	attributes := span.Attributes
	add := func(key, value string) {
		if value != "" {
			attributes = append(attributes, model.String(key, value))
		}
	}

	method, original := conventionalMethod(r.method)
	add(string(semconv.HTTPRequestMethodKey), method)
	add(string(semconv.HTTPRequestMethodOriginalKey), original)

	scheme := "http"
	if r.tls {
		scheme = "https"
	}
	add(string(semconv.URLSchemeKey), scheme)
	path, query := splitTarget(valid(r.target, targetLimit))
	add(string(semconv.URLPathKey), path)
	add(string(semconv.URLQueryKey), query)

	route := routeOfPattern(valid(r.route, routeLimit))
	add(string(semconv.HTTPRouteKey), route)
	span.Name = spanName(method, route)

	status := responseStatus(&r)
	if status != 0 {
		attributes = append(attributes, model.Int(string(semconv.HTTPResponseStatusCodeKey), status))
	}
	if failure := errorType(&r, status); failure != "" {
		span.Status = model.StatusError
		add(string(semconv.ErrorTypeKey), failure)
	}

	if address, port := splitHost(r.host); address != "" {
		add(string(semconv.ServerAddressKey), address)
		if port != 0 {
			attributes = append(attributes, model.Int(string(semconv.ServerPortKey), int64(port)))
		}
	}
	// Request.RemoteAddr is what the connection says: a unix socket has no port.
	if peer, err := netip.ParseAddrPort(r.remote.string); err == nil && !r.remote.cut {
		address := peer.Addr().Unmap().String()
		add(string(semconv.ClientAddressKey), address)
		add(string(semconv.NetworkPeerAddressKey), address)
		attributes = append(attributes, model.Int(string(semconv.NetworkPeerPortKey), int64(peer.Port())))
	}
	add(string(semconv.NetworkProtocolVersionKey), protocolVersion(r.protoMajor, r.protoMinor))
	add(string(semconv.UserAgentOriginalKey), valid(r.userAgent, userAgentLimit))
	span.Attributes = attributes
	return nil
}

// responseStatus is the status that was sent, 0 if none is known. net/http sends
// 200 for a handler that wrote nothing and returned: src/net/http/server.go,
// (*response).finishRequest.
func responseStatus(r *request) int64 {
	switch {
	case r.status == statusUnreadable:
		return 0
	case r.status == 0 && r.ending == httpEndingENDING_RETURNED:
		return 200
	}
	return int64(r.status)
}

// errorType is the error.type of a request that failed, or "".
func errorType(r *request, status int64) string {
	switch {
	case r.ending == httpEndingENDING_PANICKED:
		return "panic"
	case r.ending == httpEndingENDING_ABORTED:
		return "http.ErrAbortHandler"
	case r.ending == httpEndingENDING_EXITED:
		return "runtime.Goexit"
	case status >= 500:
		return strconv.FormatInt(status, 10)
	}
	return ""
}

// conventionalMethod gives http.request.method, and http.request.method_original
// where the method is none that the conventions know.
func conventionalMethod(t text) (method, original string) {
	switch m := t.string; m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY":
		if !t.cut {
			return m, ""
		}
	case "":
		return "", "" // could not be read
	}
	return "_OTHER", valid(t, methodLimit)
}

// splitTarget splits a request target (RFC 9112, section 3.2) as it came over
// the wire into path and query.
func splitTarget(target string) (path, query string) {
	switch {
	case strings.HasPrefix(target, "/"), target == "*":
	case strings.Contains(target, "://"):
		_, rest, _ := strings.Cut(target, "://")
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			return "/", "" // RFC 9110, section 4.2.3: an empty path is the same as "/"
		}
		if target = rest[i:]; target[0] == '?' {
			target = "/" + target
		}
	default:
		return "", "" // CONNECT's authority, which has neither
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// routeOfPattern gives the path of a ServeMux pattern, "[METHOD ][HOST]/[PATH]".
func routeOfPattern(pattern string) string {
	i := strings.IndexByte(pattern, '/')
	if i < 0 {
		return ""
	}
	return pattern[i:]
}

func spanName(method, route string) string {
	if method == "_OTHER" || method == "" {
		method = "HTTP"
	}
	if route == "" {
		return method
	}
	return method + " " + route
}

// splitHost splits a Host header. Port 0: it names none.
func splitHost(t text) (address string, port uint16) {
	host := valid(t, hostLimit)
	if t.cut {
		return "", 0
	}
	if strings.HasPrefix(host, "[") {
		inside, rest, ok := strings.Cut(host[1:], "]")
		if !ok {
			return "", 0
		}
		address, host = inside, rest
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 {
		address, host = host[:i], host[i:]
	} else {
		return host, 0
	}
	if digits, ok := strings.CutPrefix(host, ":"); ok {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err == nil {
			port = uint16(n)
		}
	}
	return address, port
}

func protocolVersion(major, minor uint8) string {
	switch {
	case major == 1 && minor == 1:
		return "1.1"
	case major == 1 && minor == 0:
		return "1.0"
	case major == 2 && minor == 0:
		return "2"
	}
	return strconv.Itoa(int(major)) + "." + strconv.Itoa(int(minor))
}

// wholeEntries drops the entry of a tracestate that was cut.
func wholeEntries(t text) string {
	entries := t.string
	if t.cut {
		entries = entries[:max(strings.LastIndexByte(entries, ','), 0)]
	}
	return strings.ToValidUTF8(entries, "")
}

// valid makes a text valid UTF-8, of so many bytes at the most: bytes that are none
// become U+FFFD, of three bytes, and a character that was cut in two at the end goes.
func valid(t text, limit int) string {
	s := t.string
	if t.cut {
		s = wholeCharacters(s)
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > limit {
		s = wholeCharacters(s[:limit])
	}
	return s
}

// wholeCharacters drops the beginning of a character at the end of s.
func wholeCharacters(s string) string {
	for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
		if first := s[len(s)-i]; utf8.RuneStart(first) {
			if first >= utf8.RuneSelf && !utf8.FullRuneInString(s[len(s)-i:]) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}
