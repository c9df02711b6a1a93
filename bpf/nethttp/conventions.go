package nethttp

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/record"
)

// conventionalMethod gives http.request.method, and http.request.method_original
// where the method is none that the conventions know.
func conventionalMethod(t text) (method, original string) {
	switch m := t.Raw; m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY":
		if !t.Cut {
			return m, ""
		}
	case "":
		return "", "" // could not be read
	}
	return "_OTHER", t.Valid(methodLimit)
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

// addServer adds the server and the port that a Host header or a URL names. Without a port, meant
// is the port; 0 for none. The path of a unix socket has no port.
func addServer(a *record.Attributes, host text, meant uint16) {
	if host.Cut {
		return
	}
	if strings.HasPrefix(host.Raw, "/") {
		a.AddServer(host.Valid(hostLimit), 0)
		return
	}
	address, port := record.SplitHostPort(host.Valid(hostLimit))
	a.AddServer(address, cmp.Or(port, meant))
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
