package discover

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxEnvironSize bounds what is read of an environment, in bytes.
const maxEnvironSize = 1 << 20

// environment is what a process's environment says of its telemetry. It is the
// one that its program was started with.
type environment struct {
	serviceName        string // OTEL_SERVICE_NAME
	resourceAttributes string // OTEL_RESOURCE_ATTRIBUTES
}

// errEnvironCut says that variables may have been missed.
var errEnvironCut = fmt.Errorf(
	"longer than %d bytes: what follows was not searched for OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES",
	maxEnvironSize,
)

func (f *Finder) environment(pid int) (environment, error) {
	var env environment
	data, cut, err := f.proc.head(pid, "environ", maxEnvironSize)
	if err != nil {
		return env, err
	}
	if cut {
		// Without the variable that the limit goes through.
		data = data[:bytes.LastIndexByte(data, 0)+1]
		err = fmt.Errorf("%s: %w", f.proc.path(pid, "environ"), errEnvironCut)
	}
	for variable := range strings.SplitSeq(string(data), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		// Programs see the first of two variables of one name: getenv(3) finds
		// that first, and Go's copyenv clears the others (syscall/env_unix.go).
		// An empty value counts as none.
		switch {
		case name == "OTEL_SERVICE_NAME" && env.serviceName == "":
			env.serviceName = strings.ToValidUTF8(value, "\uFFFD")
		case name == "OTEL_RESOURCE_ATTRIBUTES" && env.resourceAttributes == "":
			env.resourceAttributes = value
		}
	}
	return env, err
}

// parseResource reads the value of OTEL_RESOURCE_ATTRIBUTES:
// key1=value1,key2=value2, where keys and values may be percent-encoded. As the
// specification of OpenTelemetry's resource SDK has it, one mistake makes all
// of it void. The last of equal keys counts.
func parseResource(text string) (map[string]string, error) {
	attributes := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue // a comma too many does no harm
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%.80q has no =", pair)
		}
		key, err := decode(key)
		if err != nil {
			return nil, fmt.Errorf("key of %.80q: %w", pair, err)
		}
		if key == "" {
			return nil, fmt.Errorf("%.80q has no key", pair)
		}
		if attributes[key], err = decode(value); err != nil {
			return nil, fmt.Errorf("value of %.80q: %w", pair, err)
		}
	}
	return attributes, nil
}

// decode undoes percent-encoding, in which a plus sign is a plus sign.
func decode(text string) (string, error) {
	text, err := url.PathUnescape(strings.TrimSpace(text))
	if err == nil && !utf8.ValidString(text) {
		err = errors.New("is not UTF-8")
	}
	return text, err
}
