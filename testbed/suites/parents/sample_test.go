//go:build !matrix

package parents

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// builds are a sample of what `make test-matrix` goes through: without and with what goroutines
// know of the one that has started them.
func builds() []target.Build {
	return []target.Build{
		build("1.20.14", "1.58.0", target.Stripped),
		build("1.22.12", "1.69.4"),
		newest(),
	}
}
