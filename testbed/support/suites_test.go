package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wanted is what a suite must have for its section of the page.
const wanted = "the suite of a probe.Support names its subtests by target.Build.String, and has " +
	`a build with the flag "-race" in a file with the tag matrix, and in no file of the sample`

// The text that tells a run of the matrix from a sample is in the sources of the matrix alone.
func TestWhatOnlyTheMatrixHasIsInItsSourcesOnly(t *testing.T) {
	for pkg, only := range onlyMatrix(supports()) {
		only = strings.ReplaceAll(only, "_", " ")
		inMatrix := false
		sources, err := filepath.Glob(filepath.Join("..", "suites", pkg, "*_test.go"))
		if err != nil || len(sources) == 0 {
			t.Errorf("there are no tests in testbed/suites/%s, which a section names: %v; %s", pkg,
				err, wanted)
			continue
		}
		for _, source := range sources {
			content, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(string(content), "\n")
			constraint, constrained := strings.CutPrefix(line, "//go:build")
			has := strings.Contains(string(content), only)
			switch {
			case !constrained:
			case strings.HasSuffix(constraint, "!matrix"):
				if has {
					t.Errorf("%s has %q", source, only)
				}
			case strings.HasSuffix(constraint, "matrix"):
				inMatrix = inMatrix || has
			}
		}
		if !inMatrix {
			t.Errorf("no file of testbed/suites/%s with the build tag matrix has %q; %s",
				pkg, only, wanted)
		}
	}
}

// Else there would be no page of a whole run. The Makefile finds the suites in the same way.
func TestSuitesThatHaveAMatrixAreKnown(t *testing.T) {
	sources, err := filepath.Glob("../suites/*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var suites []string
	for _, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		constraint, _, _ := strings.Cut(string(content), "\n")
		if strings.HasPrefix(constraint, "//go:build ") &&
			strings.HasSuffix(constraint, " matrix") {
			suites = append(suites, filepath.Base(filepath.Dir(source)))
		}
	}
	suites = slices.Compact(suites)
	if known := slices.Sorted(maps.Keys(onlyMatrix(supports()))); !slices.Equal(suites, known) {
		t.Errorf("`make test-matrix` runs %v, and the sections of the page are of %v: %s", suites,
			known, wanted)
	}
}

// The page says of arm64 what this test of another package has there.
func TestThePageSaysOfARM64WhatRunsInItsMachines(t *testing.T) {
	var content string
	for _, file := range []string{"kernels_test.go", "programs_test.go"} {
		text, err := os.ReadFile(filepath.Join("..", "suites", "vm", file))
		if err != nil {
			t.Fatal(err)
		}
		content += string(text)
	}
	n := strings.Count(content, `Kernel{"6.12", "arm64", `)
	if n != 3 || strings.Count(content, `"arm64", "`) != n {
		t.Errorf("%d machines with arm64 and Linux 6.12, or others", n)
	}
	content = strings.Join(strings.Fields(content), " ")
	for _, has := range []string{
		`with("TestEverySpanSaysWhatTheClientKnows", newest),`,
		`with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", newestCaller),`,
		`with("TestEverySpanSaysWhatTheClientKnows", grpcServer),`,
		`with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", grpcCaller),`,
		`with("TestEverySpanSaysWhatTheClientKnows", oldestARM),`,
		`with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", oldestARMCaller),`,
		`with("TestEverySpanSaysWhatTheClientKnows", oldestARMGRPCServer),`,
		`with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", oldestARMGRPCCaller),`,
		`newest = program("nethttp", "1.27.4", target.Stripped)`,
		`newestCaller = program("httpcaller", "1.27.4", target.Stripped)`,
		`grpcServer = withGRPC("grpc", "1.27.4", "1.85.0", target.Stripped)`,
		`grpcCaller = withGRPC("grpccaller", "1.27.4", "1.85.0", target.Stripped)`,
		`oldestARM = program("nethttp", "1.18.10", target.Stripped)`,
		`oldestARMCaller = program("httpcaller", "1.18.10", target.Stripped)`,
		`oldestARMGRPCServer = withGRPC("grpc", "1.18.10", "1.40.0", target.Stripped)`,
		`oldestARMGRPCCaller = withGRPC("grpccaller", "1.18.10", "1.40.0", target.Stripped)`,
		`recentSender = withGRPC("peer", "1.26.8", "1.85.0")`,
		`Kernel{"6.12", "arm64", "trixie"}, ` +
			`suites: injection("allowed", recentSender, "http1", "http2", "unary"),`,
	} {
		if !strings.Contains(content, has) {
			t.Errorf("there is no %q: what does the page say of arm64?", has)
		}
	}
}
