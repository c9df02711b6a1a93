package assemble

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// QueryMode says what becomes of url.query.
type QueryMode string

// The query modes.
const (
	QueryRedact QueryMode = "redact" // keep the keys, replace each value by REDACTED
	QueryKeep   QueryMode = "keep"   // as it came
	QueryDrop   QueryMode = "drop"   // no url.query at all
)

const redacted = "REDACTED"

// redactQuery applies the mode to a span's url.query.
func redactQuery(span *model.Span, mode QueryMode) {
	if mode == QueryKeep {
		return
	}
	for i := range span.Attributes {
		if span.Attributes[i].Key != string(semconv.URLQueryKey) {
			continue
		}
		if mode == QueryDrop {
			span.Attributes = append(span.Attributes[:i], span.Attributes[i+1:]...)
			return
		}
		span.Attributes[i].Str = redactValues(span.Attributes[i].Str)
		return
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
