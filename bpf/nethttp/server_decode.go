package nethttp

import (
	"strconv"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/record"
)

// decodeRequest makes a SERVER span of a record, by the stable HTTP conventions:
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
func decodeRequest(raw []byte, span *model.Span, options probe.DecodeOptions) error {
	r, err := parse(raw)
	if err != nil {
		return err
	}
	span.Kind = model.KindServer
	span.TraceState = r.tracestate.TraceState()
	a := record.Attributes(span.Attributes)
	method, original := conventionalMethod(r.method)
	a.Add(semconv.HTTPRequestMethodKey, method)
	a.Add(semconv.HTTPRequestMethodOriginalKey, original)

	scheme := "http"
	if r.tls {
		scheme = "https"
	}
	a.Add(semconv.URLSchemeKey, scheme)
	path, query := splitTarget(r.target.Valid(targetLimit))
	a.Add(semconv.URLPathKey, path)
	switch {
	case query == "" || options.Query == model.QueryDrop:
	case options.Query == model.QueryKeep:
		a.Add(semconv.URLQueryKey, query)
	default: // if it is empty, there was something else
		a = append(a, model.String(string(semconv.URLQueryKey), redactQuery(query)))
	}

	route := routeOfPattern(r.route.Valid(routeLimit))
	a.Add(semconv.HTTPRouteKey, route)
	span.Name = spanName(method, route)

	status := responseStatus(&r)
	if status != 0 {
		a.AddInt(semconv.HTTPResponseStatusCodeKey, status)
	}
	if failure := errorType(&r, status); failure != "" {
		span.Status = model.StatusError
		a.Add(semconv.ErrorTypeKey, failure)
	}

	addServer(&a, r.host, 0)
	if address, port, ok := r.remote.SplitAddrPort(); ok {
		a.Add(semconv.ClientAddressKey, address)
		a.Add(semconv.NetworkPeerAddressKey, address)
		a.AddInt(semconv.NetworkPeerPortKey, int64(port))
	}
	a.Add(semconv.NetworkProtocolVersionKey, protocolVersion(r.protoMajor, r.protoMinor))
	a.Add(semconv.UserAgentOriginalKey, r.userAgent.Valid(userAgentLimit))
	span.Attributes = a
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
