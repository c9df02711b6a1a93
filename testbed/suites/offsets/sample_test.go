//go:build !matrix

package offsets

import "github.com/spanprobe/spanprobe/internal/model"

var architectures = []model.Arch{model.AMD64}

// releases are a sample of what `make test-matrix` compares: those of which the tests
// of gRPC have programs.
func releases() []release {
	return []release{
		{"v1.40.0", "1.17.13"},
		{"v1.58.0", "1.20.14"},
		{"v1.69.4", "1.22.12"},
		{"v1.75.0", "1.26.11"},
		{"v1.85.0", "1.27.4"},
	}
}
