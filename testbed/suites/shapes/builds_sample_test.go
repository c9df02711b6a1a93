//go:build !matrix

package shapes

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// builds are a sample of what `make test-matrix` goes through: both shapes of
// prologues, and code that is not optimized.
func builds() []target.Build {
	return []target.Build{
		{Source: source, Go: "1.17.13"},
		{Source: source, Go: "1.20.14", Flags: []string{"-buildmode=pie"}},
		{Source: source, Go: "1.26.11"},
		{Source: source, Go: "1.26.11", Flags: []string{"-gcflags=all=-N -l"}},
		{Source: source, Go: "1.27.4", Flags: []string{target.Stripped}},
	}
}
