package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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

func TestOnlyKernelsThatCarryTheReceiverPass(t *testing.T) {
	for release, want := range map[string]bool{
		"5.15.0-122-generic": false, "6.0.19": false, "vanilla": false,
		"6.1.0-28-amd64": true, "6.18.0": true, "10.0": true,
	} {
		if err := checkKernel(release); (err == nil) != want {
			t.Errorf("%s: error %v, want it to pass: %v", release, err, want)
		}
	}
}

func TestAnEngineIsUsedOnlyIfItRuns(t *testing.T) {
	for name, engines := range map[string]struct {
		docker, podman string // how `info` exits; "" if there is none
		want           string
	}{
		"none installed":        {"", "", ""},
		"docker without daemon": {"1", "", ""},
		"podman beside that":    {"1", "0", "podman"},
		"both":                  {"0", "0", "docker"},
	} {
		dir := t.TempDir()
		for engine, status := range map[string]string{
			"docker": engines.docker, "podman": engines.podman,
		} {
			if status == "" {
				continue
			}
			script := "#!/bin/sh\n[ \"$*\" = info ] && exit " + status + "\nexit 99\n"
			if err := os.WriteFile(filepath.Join(dir, engine), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", dir)
		if got := runningEngine(t.Context()); got != engines.want {
			t.Errorf("%s: %q, want %q", name, got, engines.want)
		}
	}
}

func TestAContainerIsPublishedOnLoopbackAlone(t *testing.T) {
	j := &jaeger{
		container: "x", Query: "127.0.0.1:1", QueryGRPC: "127.0.0.1:2",
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

func TestStepsAreLinesWhereThereIsNoTerminal(t *testing.T) {
	var out bytes.Buffer
	terminal := &terminal{out: &out}
	broken := errors.New("broken")
	err := terminal.step("shop", "building", func() (string, error) { return "built", nil })
	if err != nil {
		t.Error(err)
	}
	err = terminal.step("jaeger", "building", func() (string, error) { return "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the one of the work", err)
	}
	if want := "✓ shop        built\n✗ jaeger      failed after 0s\n"; out.String() != want {
		t.Errorf("printed %q, want %q", &out, want)
	}
}

func TestTheFlagForJaegerTakesOnlyWhatItKnows(t *testing.T) {
	var source jaegerSource
	for text, want := range map[string]jaegerSource{
		"auto": jaegerAuto, "image": jaegerImaged, "module": jaegerBuilt,
	} {
		if err := source.Set(text); err != nil || source != want {
			t.Errorf("%s: %q (%v), want %q", text, source, err, want)
		}
	}
	if err := source.Set("cloud"); err == nil {
		t.Error("cloud passes")
	}
}
