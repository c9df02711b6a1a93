package discover

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	text "github.com/spanprobe/spanprobe/internal/record"
)

// Limits of what a process's environment may say of it. A process may say anything,
// and each of its batches repeats it. The number of attributes is the limit that
// OpenTelemetry's SDKs have for a span's. Lengths are in bytes, without encoding.
const (
	maxAttributes     = 128
	maxAttributeKey   = 256
	maxAttributeValue = 1 << 10
	maxAttributesSize = 16 << 10 // of all keys and values
	maxServiceName    = 256
)

// resource holds the attributes of OTEL_RESOURCE_ATTRIBUTES, within the limits.
type resource struct {
	attributes map[string]string
	size       int // of all keys and values, in bytes
	cut        []string
}

// parseResource reads the value of OTEL_RESOURCE_ATTRIBUTES:
// key1=value1,key2=value2, where keys and values may be percent-encoded. As the
// specification of OpenTelemetry's resource SDK has it, one mistake makes all
// of it void. The last of equal keys counts. What is over a limit is left out, and
// cut names the limits.
func parseResource(variable string) (attributes map[string]string, cut []string, err error) {
	r := resource{attributes: make(map[string]string)}
	for pair := range strings.SplitSeq(variable, ",") {
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue // a comma too many does no harm
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, nil, fmt.Errorf("%.80q has no =", pair)
		}
		key, err := decode(key)
		if err != nil {
			return nil, nil, fmt.Errorf("key of %.80q: %w", pair, err)
		}
		if key == "" {
			return nil, nil, fmt.Errorf("%.80q has no key", pair)
		}
		if value, err = decode(value); err != nil {
			return nil, nil, fmt.Errorf("value of %.80q: %w", pair, err)
		}
		r.add(key, value)
	}
	return r.attributes, r.cut, nil
}

// add takes an attribute, as far as the limits allow. What it keeps is a copy.
func (r *resource) add(key, value string) {
	if len(key) > maxAttributeKey {
		r.note("a key has more than %d bytes", maxAttributeKey)
		return
	}
	value, cut := cutText(value, maxAttributeValue)
	if cut {
		r.note("a value has more than %d bytes", maxAttributeValue)
	}
	size := r.size + len(value)
	if old, there := r.attributes[key]; there {
		size -= len(old)
	} else if size += len(key); len(r.attributes) == maxAttributes {
		r.note("there are more than %d attributes", maxAttributes)
		return
	}
	if size > maxAttributesSize {
		r.note("all of them have more than %d bytes", maxAttributesSize)
		return
	}
	r.attributes[strings.Clone(key)], r.size = strings.Clone(value), size
}

// note names a limit once.
func (r *resource) note(format string, limit int) {
	if limit := fmt.Sprintf(format, limit); !slices.Contains(r.cut, limit) {
		r.cut = append(r.cut, limit)
	}
}

// cutText cuts a text behind a whole character.
func cutText(s string, limit int) (short string, cut bool) {
	if len(s) <= limit {
		return s, false
	}
	return text.WholeCharacters(s[:limit]), true
}

// decode undoes percent-encoding, in which a plus sign is a plus sign.
func decode(text string) (string, error) {
	text, err := url.PathUnescape(strings.TrimSpace(text))
	if err == nil && !utf8.ValidString(text) {
		err = errors.New("is not UTF-8")
	}
	return text, err
}
