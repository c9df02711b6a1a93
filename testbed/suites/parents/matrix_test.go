//go:build matrix

package parents

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// builds are releases of Go with each shape that contexts, goroutines and their starters have
// had, stripped or not, and what else changes what the compiler makes of a function.
func builds() []target.Build {
	list := []target.Build{
		build("1.20.14", "1.33.1", target.Stripped),
		build("1.20.14", "1.58.0"),
		build("1.21.0", "1.58.0", target.Stripped),
		build("1.21.13", "1.63.0"),
		build("1.22.0", "1.69.0", target.Stripped),
		build("1.22.12", "1.69.4"),
		build("1.23.12", "1.75.0", target.Stripped),
		build("1.24.13", "1.75.0"),
		build("1.25.14", "1.75.0", target.Stripped),
		build("1.26.8", "1.85.0"),
		newest(),
		build("1.27.4", "1.85.0"),
	}
	for _, flags := range [][]string{
		{"-buildmode=pie", target.Stripped},
		{"-race"},
		{"-gcflags=all=-N -l"},
		{"-trimpath", "-gcflags=all=-l"},
	} {
		list = append(list, build("1.22.12", "1.69.4", flags...),
			build("1.27.4", "1.85.0", flags...))
	}
	return list
}
