package inspect_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
)

func TestWithoutBuildInformationTheDebugInformationSaysWhichGoCompiledIt(t *testing.T) {
	builds := []testbinary.Build{
		{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.DWARF4},
		{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.NoCompress},
		{Go: "1.26.8", Arch: model.AMD64, Form: testbinary.PIE},
		{Go: "1.26.8", Arch: model.ARM64, Form: testbinary.Plain},
	}
	for _, release := range testbinary.Releases() {
		builds = append(
			builds, testbinary.Build{Go: release, Arch: model.AMD64, Form: testbinary.Plain},
		)
	}
	for _, build := range builds {
		t.Run(build.String(), func(t *testing.T) {
			path := testbinary.Server(t, build)
			want := inspectFile(t, path)
			want.Path, want.GoVersion, want.NoBuildInfo = "fuzz", build.Go, true
			want.Main, want.Modules, want.Settings = model.Module{}, nil, map[string]string{}
			got, err := inspectBytes(unsaid(t, path))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what is known without build information (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhereNothingSaysWhichGoCompiledItIsRefused(t *testing.T) {
	server := func(form testbinary.Form) []byte {
		return unsaid(
			t, testbinary.Server(t, testbinary.Build{Go: "1.26.8", Arch: model.AMD64, Form: form}),
		)
	}
	const is = "Go cmd/compile go1.26.8; regabi"
	whole := server(testbinary.NoCompress)
	saying := func(producer string) []byte {
		if !bytes.Contains(whole, []byte(is)) || len(producer) != len(is) {
			t.Fatalf("%q cannot take the place of %q", producer, is)
		}
		return bytes.ReplaceAll(whole, []byte(is), []byte(producer))
	}
	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"stripped":              {server(testbinary.Stripped), "no debug information"},
		"compiled by another":   {saying("GNU Go 14.2.0 -mtune=generic -g"), "no package runtime that Go compiled"},
		"no version":            {saying("Go cmd/compile go2.26.8; regabi"), "is no version of Go"},
		"to a terminal":         {saying("Go cmd/compile go1\x1b[2J.; regabi"), "is no version of Go"},
		"arguments on a stack":  {saying("Go cmd/compile go1.26.8; -race "), "go1.26.8 passed arguments on the stack"},
		"in another way":        {saying("Go cmd/compile go1.26.8; regabX"), "go1.26.8 passed arguments on the stack"},
		"debug information cut": {(tiny.Program{Unsaid: true}).With(map[string][]byte{".debug_info": tiny.Words32(64, 4)}), "debug information"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inspectBytes(test.data)
			if !errors.Is(err, inspect.ErrUnsupported) ||
				!strings.Contains(err.Error(), "build information cannot be read") ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// unsaid is an executable without its build information.
func unsaid(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	magic := []byte("\xff Go buildinf:")
	if !bytes.Contains(data, magic) {
		t.Fatal("it has none")
	}
	return bytes.ReplaceAll(data, magic, []byte("\xff No buildinf:"))
}
