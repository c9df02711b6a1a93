//go:build matrix

package offsets

import "github.com/spanprobe/spanprobe/internal/model"

var architectures = []model.Arch{model.AMD64, model.ARM64}

// releases are one of each layout that fields of gRPC have had.
func releases() []release {
	return []release{
		{"v1.40.0", "1.18.10"},
		{"v1.41.0", "1.18.10"},
		{"v1.46.2", "1.18.10"},
		{
			"v1.50.1",
			"1.20.14",
		},
		{"v1.52.0", "1.20.14"},
		{"v1.58.3", "1.21.13"},
		{"v1.60.0", "1.21.13"},
		{"v1.66.0", "1.22.12"},
		{
			"v1.69.0",
			"1.23.12",
		},
		{"v1.71.0", "1.24.13"},
		{"v1.77.0", "1.25.14"},
		{"v1.84.0", "1.26.11"},
		{"v1.85.0", "1.27.4"},
	}
}
