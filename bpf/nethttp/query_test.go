package nethttp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

func TestAQueryIsRedactedKeptOrDropped(t *testing.T) {
	for _, c := range []struct {
		mode        model.QueryMode
		query, want string // "-": there is no such attribute
	}{
		{model.QueryRedact, "a=1&b=2", "a=REDACTED&b=REDACTED"},
		{model.QueryRedact, "a=1;b=", "a=REDACTED&b=REDACTED"},
		{model.QueryRedact, "sometoken", "REDACTED"},
		{model.QueryRedact, "&&a=b=c&", "a=REDACTED"},
		{model.QueryRedact, "&;", ""},
		{model.QueryRedact, "", "-"},
		{model.QueryKeep, "a=1", "a=1"},
		{model.QueryDrop, "a=1", "-"},
	} {
		var span model.Span
		err := decodeRequest(
			laidOut(func([]byte) {}, "", "GET", "/items?"+c.query), &span,
			probe.DecodeOptions{Query: c.mode},
		)
		if err != nil {
			t.Fatal(err)
		}
		got := "-"
		for _, a := range span.Attributes {
			if a.Key == "url.query" {
				got = a.Str
			}
		}
		if got != c.want {
			t.Errorf("%s %q: %q, want %q", c.mode, c.query, got, c.want)
		}
	}
}

func TestTheQueryInAURLIsRedactedKeptOrDropped(t *testing.T) {
	const path = "http://shop.example/items"
	for _, c := range []struct {
		mode       model.QueryMode
		full, want string
	}{
		{model.QueryRedact, path + "?a=1&b=2", path + "?a=REDACTED&b=REDACTED"},
		{model.QueryRedact, path + "?token", path + "?REDACTED"},
		{model.QueryRedact, path + "?", path},
		{model.QueryRedact, path, path},
		{model.QueryKeep, path + "?a=1", path + "?a=1"},
		{model.QueryKeep, path + "?", path + "?"},
		{model.QueryDrop, path + "?a=1", path},
		{model.QueryDrop, path, path},
		{model.QueryRedact, "", ""},
	} {
		if got := redactURL(c.full, c.mode); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.mode, c.full, got, c.want)
		}
	}
	var span model.Span
	raw := laidOutCall(func([]byte) {}, "GET", "http", "shop.example", "/items", "a=1")
	if err := decodeCall(raw, &span, probe.DecodeOptions{Query: model.QueryDrop}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(model.String("url.full", path), span.Attributes[1]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
