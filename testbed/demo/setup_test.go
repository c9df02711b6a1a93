package main

import (
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	otelcol "github.com/spanprobe/spanprobe/testbed/harness/collector"
)

func TestAPathIsATargetOfItselfWhateverItHolds(t *testing.T) {
	for _, path := range []string{
		"/src/dist/storefront", "/a b/[c]/{d,e}/f*?/storefront", `/back\slash/storefront`,
	} {
		glob := otelcol.Literal(path)
		if ok, err := doublestar.Match(glob, path); !ok || err != nil {
			t.Errorf("%s: the glob %s matches: %v (%v)", path, glob, ok, err)
		}
	}
	if ok, _ := doublestar.Match(otelcol.Literal("/a*/storefront"), "/abc/storefront"); ok {
		t.Error("a star in a path matches something else")
	}
}

func TestTheCollectorTracesWhateverRunsFromTheDirectoryOfTheShop(t *testing.T) {
	config, err := collectorConfig("/a [b]/shop", "127.0.0.1:4317").YAML()
	if err != nil {
		t.Fatal(err)
	}
	if want := `- exe: /a \[b\]/shop/*`; !strings.Contains(string(config), want) {
		t.Errorf("the configuration lacks %s:\n%s", want, config)
	}
}

func TestAContainerIsPublishedOnLoopbackAlone(t *testing.T) {
	j := &jaeger{
		Query: "127.0.0.1:1", QueryGRPC: "127.0.0.1:2",
		OTLP: "127.0.0.1:3", OTLPHTTP: "127.0.0.1:4",
	}
	arguments := j.containerArguments()
	published := 0
	for i, argument := range arguments {
		if argument == "--publish" {
			published++
			if next := arguments[i+1]; !strings.HasPrefix(next, "127.0.0.1:") {
				t.Errorf("published on %s", next)
			}
		}
	}
	if published != 3 {
		t.Errorf("%d ports are published, want 3: %q", published, arguments)
	}
}
