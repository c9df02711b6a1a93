package all

import (
	"regexp"
	"testing"
	"unicode"
	"unicode/utf8"
)

// word is what names a library, in any case: the name of a folder, of a library or of a module.
type word struct{ pattern *regexp.Regexp }

func newWord(name string) word {
	return word{regexp.MustCompile("(?i)" + regexp.QuoteMeta(name))}
}

// in gives the word as a text has it, or "". The word stands alone there, or is a part of a name in
// camel case: "cache" is a word of "cacheLine" and "theCACHE", but not of "goidcache" or "GOCACHE".
func (w word) in(text string) string {
	for from := 0; from < len(text); {
		at := w.pattern.FindStringIndex(text[from:])
		if at == nil {
			return ""
		}
		start, end := from+at[0], from+at[1]
		if begins(text, start) && ends(text, end) {
			return text[start:end]
		}
		from = start + 1
	}
	return ""
}

// begins tells whether a word of a name begins at a place.
func begins(text string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	first, _ := utf8.DecodeRuneInString(text[at:])
	return at == 0 || !unicode.IsLetter(before) ||
		unicode.IsLower(before) && unicode.IsUpper(first)
}

// ends tells whether a word of a name ends before a place.
func ends(text string, at int) bool {
	next, _ := utf8.DecodeRuneInString(text[at:])
	return at == len(text) || !unicode.IsLetter(next) || unicode.IsUpper(next)
}

func TestALibrarysNameIsFoundAsAWord(t *testing.T) {
	for text, want := range map[string]string{
		"grpcClose(c)":                       "grpc",
		"type GRPCServer struct":             "GRPC",
		"WriterGRPC":                         "GRPC",
		"isGrpc":                             "Grpc",
		"grpc_close(ctx)":                    "grpc",
		"WRITER_GRPC,":                       "GRPC",
		"// gRPC's own":                      "gRPC",
		`"google.golang.org/grpc/metadata"`:  "grpc",
		"google.golang.org/grpc@v1.75.0":     "grpc",
		`bpf/grpc/client.bpf.c`:              "grpc",
		"egrpc, then grpc":                   "grpc",
		"grpc2":                              "grpc",
		"xgrpc":                              "",
		"grpcs":                              "",
		"WRITERGRPC":                         "",
		"nothing of this kind, and then grp": "",
	} {
		if got := newWord("grpc").in(text); got != want {
			t.Errorf("%q names %q, not %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"p.goidcache":            "",
		"runtime.p.goidcacheend": "",
		`"GOCACHE=" + dir`:       "",
		"cached":                 "",
		"cacheLine":              "cache",
		"a cache of files":       "cache",
		"theCache":               "Cache",
	} {
		if got := newWord("cache").in(text); got != want {
			t.Errorf("%q names %q, not %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"net/http.(*conn).serve": "net/http",
		"net/http/client":        "net/http",
		"internet/http":          "",
		"net/https":              "",
	} {
		if got := newWord("net/http").in(text); got != want {
			t.Errorf("%q names %q, not %q", text, got, want)
		}
	}
}
