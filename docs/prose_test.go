package docs_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
)

const (
	maxWords       = 25  // in a sentence
	maxColumns     = 100 // in a line of prose
	maxReadmeLines = 150
)

func TestReadmeIsReadInOneSitting(t *testing.T) {
	readme := readPage(t, "README.md")
	if lines := bytes.Count(readme.whole, []byte("\n")); lines > maxReadmeLines {
		t.Errorf(
			"README.md has %d lines, and may have %d: move details to docs/", lines, maxReadmeLines,
		)
	}
}

func TestSentencesAreShort(t *testing.T) {
	for _, p := range readPages(t) {
		p.eachSentence(func(line int, sentence string) {
			if n := words(sentence); n > maxWords {
				t.Errorf(
					"%s:%d: %d words, and %d are the most: %s", p.path, line, n, maxWords, sentence,
				)
			}
		})
	}
}

// A pronoun leaves the reader looking for the noun.
var pronoun = regexp.MustCompile(`^\W*(What|Whatever|Where|Wherever|Who|Whoever|Whose|Which|One)\b`)

func TestSentencesBeginWithANoun(t *testing.T) {
	for _, p := range readPages(t) {
		p.eachSentence(func(line int, sentence string) {
			if pronoun.MatchString(sentence) {
				t.Errorf("%s:%d: a sentence begins with a pronoun: %s", p.path, line, sentence)
			}
		})
	}
}

func TestLinesWrap(t *testing.T) {
	for _, p := range readPages(t) {
		free := p.freeLines()
		for i, text := range bytes.Split(p.source, []byte("\n")) {
			if n := utf8.RuneCount(text); n > maxColumns && !free[i+1] {
				t.Errorf("%s:%d: %d columns, and %d are the most", p.path, i+1, n, maxColumns)
			}
		}
	}
}

// eachSentence hands on every sentence of paragraphs, lists and headings, not of tables and
// code, and the line that its block begins on.
func (p page) eachSentence(see func(line int, sentence string)) {
	each(p.root, func(node ast.Node) {
		switch node.Kind() {
		case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading:
			for _, sentence := range sentences(plain(p.source, node)) {
				see(line(p.source, node), sentence)
			}
		}
	})
}

var sentenceEnd = regexp.MustCompile(`[.!?]["')]*\s+`)

func sentences(text string) []string {
	var all []string
	for _, end := range sentenceEnd.FindAllStringIndex(text, -1) {
		all = append(all, text[:end[1]])
	}
	begin := 0
	for i, sentence := range all {
		all[i], begin = strings.TrimSpace(sentence[begin:]), len(sentence)
	}
	if rest := strings.TrimSpace(text[begin:]); rest != "" {
		all = append(all, rest)
	}
	return all
}

func words(sentence string) int {
	n := 0
	for _, word := range strings.Fields(sentence) {
		if strings.ContainsFunc(
			word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
		) {
			n++
		}
	}
	return n
}

// freeLines are those that may be of any length: of code, tables and links' addresses.
func (p page) freeLines() map[int]bool {
	free := map[int]bool{}
	each(p.root, func(node ast.Node) {
		switch node.Kind() {
		case ast.KindCodeBlock, ast.KindFencedCodeBlock:
			for i := range node.Lines().Len() {
				free[1+bytes.Count(p.source[:node.Lines().At(i).Start], []byte("\n"))] = true
			}
		}
	})
	for i, text := range bytes.Split(p.source, []byte("\n")) {
		if bytes.HasPrefix(text, []byte("|")) ||
			bytes.HasPrefix(text, []byte("[")) && bytes.Contains(text, []byte("]: http")) {
			free[i+1] = true
		}
	}
	return free
}

func TestSentencesAreToldApart(t *testing.T) {
	source := []byte("Go 1.26 has `a. b`. (It\nis so.) Is it? See [this page](x.md): yes.\n")
	var got []string
	page{
		source: source,
		root:   parse(source),
	}.eachSentence(func(_ int, sentence string) { got = append(got, sentence) })
	want := []string{"Go 1.26 has Code.", "(It is so.)", "Is it?", "See this page: yes."}
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if n := words("A page – of 3 words"); n != 5 {
		t.Errorf("%d words, want 5", n)
	}
}
