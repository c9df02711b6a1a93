package nethttp

import (
	"strconv"
	"strings"
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

// splitHost splits a Host header. Port 0: it names none.
func splitHost(t text) (address string, port uint16) {
	host := t.Valid(hostLimit)
	if t.Cut {
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
