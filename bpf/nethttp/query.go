package nethttp

import (
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

const redacted = "REDACTED"

// redactURL applies the mode to the query of a whole URL.
func redactURL(full string, mode model.QueryMode) string {
	if mode == model.QueryKeep {
		return full
	}
	rest, query, _ := strings.Cut(full, "?")
	if query == "" || mode == model.QueryDrop {
		return rest
	}
	return rest + "?" + redactQuery(query)
}

// redactQuery replaces the value of each pair. A part that is no pair is all value: a bare token
// may be a secret as well as a flag.
func redactQuery(query string) string {
	var b strings.Builder
	separates := func(r rune) bool { return r == '&' || r == ';' }
	for i, pair := range strings.FieldsFunc(query, separates) {
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
