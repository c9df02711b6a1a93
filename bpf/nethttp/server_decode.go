package nethttp

import (
	"net/netip"
	"strconv"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// decodeRequest makes a SERVER span of a record, by the stable HTTP conventions:
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
func decodeRequest(record []byte, span *model.Span) error {
	r, err := parse(record)
	if err != nil {
		return err
	}
	span.Kind = model.KindServer
	span.TraceState = r.tracestate.TraceState()
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
	path, query := splitTarget(r.target.Valid(targetLimit))
	add(string(semconv.URLPathKey), path)
	add(string(semconv.URLQueryKey), query)

	route := routeOfPattern(r.route.Valid(routeLimit))
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
	if address, port, ok := splitRemote(r.remote); ok {
		add(string(semconv.ClientAddressKey), address)
		add(string(semconv.NetworkPeerAddressKey), address)
		attributes = append(attributes, model.Int(string(semconv.NetworkPeerPortKey), int64(port)))
	}
	add(string(semconv.NetworkProtocolVersionKey), protocolVersion(r.protoMajor, r.protoMinor))
	add(string(semconv.UserAgentOriginalKey), r.userAgent.Valid(userAgentLimit))
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
	case r.status == 0 && r.ending == serverEndingENDING_RETURNED:
		return 200
	}
	return int64(r.status)
}

// errorType is the error.type of a request that failed, or "".
func errorType(r *request, status int64) string {
	switch {
	case r.ending == serverEndingENDING_PANICKED:
		return "panic"
	case r.ending == serverEndingENDING_ABORTED:
		return "http.ErrAbortHandler"
	case r.ending == serverEndingENDING_EXITED:
		return "runtime.Goexit"
	case status >= 500:
		return strconv.FormatInt(status, 10)
	}
	return ""
}

// splitRemote splits Request.RemoteAddr, which is what the connection says: that
// of a unix socket has no port.
func splitRemote(remote text) (address string, port uint16, ok bool) {
	peer, err := netip.ParseAddrPort(remote.Raw)
	if err != nil || remote.Cut {
		return "", 0, false
	}
	if peer.Addr().Is4() { // has one way to be written
		return remote.Raw[:strings.LastIndexByte(remote.Raw, ':')], peer.Port(), true
	}
	return peer.Addr().Unmap().String(), peer.Port(), true
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
