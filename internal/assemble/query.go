package assemble

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

const redacted = "REDACTED"

// redactQuery applies the mode to a span's url.query, and to the query in its
// url.full.
func redactQuery(span *model.Span, mode model.QueryMode) {
	if mode == model.QueryKeep {
		return
	}
	for i := range span.Attributes {
		attribute := &span.Attributes[i]
		switch attribute.Key {
		case string(semconv.URLFullKey):
			rest, query, _ := strings.Cut(attribute.Str, "?")
			if query != "" && mode == model.QueryRedact {
				rest += "?" + redactValues(query)
			}
			attribute.Str = rest
			return
		case string(semconv.URLQueryKey):
			if mode == model.QueryDrop {
				span.Attributes = append(span.Attributes[:i], span.Attributes[i+1:]...)
				return
			}
			attribute.Str = redactValues(attribute.Str)
			return
		}
	}
}

// redactValues replaces the value of each pair. What is no pair is all value:
// a bare token may be a secret as well as a flag.
func redactValues(query string) string {
	var b strings.Builder
	for i, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		if i > 0 {
			b.WriteByte('&')
		}
		if key, _, ok := strings.Cut(pair, "="); ok {
			b.WriteString(key)
			b.WriteByte('=')
		}
		b.WriteString(redacted)
	}
	return b.String()
}
