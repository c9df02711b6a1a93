//go:build matrix

package shapes

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// builds are all releases in every form that changes what the compiler or the
// linker makes of a function.
func builds() []target.Build {
	var list []target.Build
	for _, version := range []string{
		"1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
		"1.22.12", "1.23.12", "1.24.13", "1.25.14", "1.26.11", "1.27.4",
	} {
		for _, flags := range [][]string{
			nil,
			{target.Stripped},
			{"-buildmode=pie"},
			{"-ldflags=-linkmode external"},
			{"-race"},
			{"-gcflags=all=-N -l"},
		} {
			list = append(list, target.Build{Source: source, Go: version, Flags: flags})
		}
	}
	// Programs without cgo that older releases link as static PIE do not start.
	for _, version := range []string{
		"1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.14",
		"1.26.11", "1.27.4",
	} {
		list = append(list, target.Build{Source: source, Go: version, Flags: []string{
			"-buildmode=pie", "-tags=netgo,osusergo",
			"-ldflags=-linkmode external -extldflags -static-pie",
		}})
	}
	for _, version := range []string{"1.20.14", "1.26.11", "1.27.4"} {
		list = append(list, target.Build{Source: source, Go: version, Flags: []string{"-cover"}})
	}
	return list
}
