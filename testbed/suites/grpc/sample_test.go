//go:build !matrix

package grpc

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// pairs are a sample of what `make test-matrix` goes through.
func pairs() []pair {
	return []pair{
		{"1.33.1", "1.17.13", []string{target.Stripped}},
		{"1.58.0", "1.20.14", nil},
		{"1.69.4", "1.22.12", []string{target.Stripped}},
		{"1.75.0", "1.26.11", []string{"-buildmode=pie", target.Stripped}},
		newest,
	}
}
