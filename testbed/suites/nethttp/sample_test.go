//go:build !matrix

package nethttp

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// versions are a sample of what `make test-matrix` goes through: each shape that
// prologues, maps, patterns and the server of HTTP/2 have had.
func versions() []target.Build {
	list := []target.Build{{Source: source, Go: "1.26.8"}}
	for _, version := range []string{
		"1.17.13", "1.20.14", "1.21.13", "1.22.12", "1.24.13",
		"1.26.11", "1.27.4",
	} {
		list = append(list, target.Build{
			Source: source, Go: version,
			Flags: []string{target.Stripped},
		})
	}
	return append(list, target.Build{
		Source: source, Go: "1.27.4",
		Flags: []string{"-buildmode=pie", target.Stripped},
	})
}

// pairs are a sample in the same way.
func pairs() []pair {
	stripped := []string{target.Stripped}
	return []pair{
		{"1.17.13", "v0.0.0-20210224082022-3d97a244fca7", stripped},
		{"1.21.13", "v0.17.0", stripped},
		{"1.24.13", "v0.34.0", nil},
		{"1.26.11", "v0.62.0", stripped},
		{"1.27.4", "v0.62.0", stripped},
	}
}
