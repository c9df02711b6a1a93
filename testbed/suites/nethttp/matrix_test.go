//go:build matrix

package nethttp

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// versions are the first and the last release of every minor that is supported, plain
// and stripped, and some in every form that changes what the compiler or the linker
// makes of a function. Of Go 1.26 there is one more, before a field moved.
func versions() []target.Build {
	var list []target.Build
	for _, version := range []string{
		"1.17", "1.17.13", "1.18", "1.18.10", "1.19", "1.19.13", "1.20", "1.20.14", "1.21.0",
		"1.21.13", "1.22.0", "1.22.12",
		"1.23.0", "1.23.12", "1.24.0", "1.24.13", "1.25.0", "1.25.14", "1.26.0", "1.26.8",
		"1.26.11", "1.27.0", "1.27.4",
	} {
		list = append(list, target.Build{Source: source, Go: version},
			target.Build{Source: source, Go: version, Flags: []string{target.Stripped}})
	}
	for _, version := range []string{"1.17.13", "1.20.14", "1.23.12", "1.26.11", "1.27.4"} {
		for _, flags := range [][]string{
			{"-buildmode=pie", target.Stripped},
			{"-ldflags=-linkmode external"},
			{"-race"},
			{"-gcflags=all=-N -l"},
			{"-trimpath", "-gcflags=all=-l"},
		} {
			list = append(list, target.Build{Source: source, Go: version, Flags: flags})
		}
	}
	// Programs without cgo that older releases link as static PIE do not start.
	for _, version := range []string{"1.21.13", "1.22.12", "1.23.12", "1.26.11", "1.27.4"} {
		list = append(list, target.Build{Source: source, Go: version, Flags: []string{
			"-ldflags=-s -w -linkmode external -extldflags -static-pie", "-buildmode=pie",
			"-tags=netgo,osusergo",
		}})
	}
	for _, version := range []string{"1.20.14", "1.26.11", "1.27.4"} {
		list = append(list, target.Build{Source: source, Go: version, Flags: []string{"-cover"}})
	}
	return list
}

// pairs are the oldest and the newest version of golang.org/x/net that there are offsets
// of, and one of each shape between, with releases of Go that compile them.
func pairs() []pair {
	stripped := []string{target.Stripped}
	return []pair{
		{"1.17.13", "v0.0.0-20210224082022-3d97a244fca7", stripped},
		{"1.17.13", "v0.0.0-20210224082022-3d97a244fca7", nil},
		{"1.26.11", "v0.0.0-20211209124913-491a49abca63", stripped},
		{"1.20.14", "v0.1.0", stripped},
		{"1.19.13", "v0.10.0", stripped},
		{"1.21.13", "v0.17.0", stripped},
		{"1.24.13", "v0.34.0", stripped},
		{"1.24.13", "v0.34.0", nil},
		{"1.26.8", "v0.47.0", stripped},
		{"1.27.4", "v0.59.0", stripped},
		{"1.26.11", "v0.62.0", stripped},
		{"1.27.4", "v0.62.0", stripped},
		{"1.27.4", "v0.62.0", nil},
	}
}
