//go:build matrix

package grpc

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// pairs are versions of gRPC, one for each shape that its code has had, with
// releases of Go from the oldest to the newest that compile it. The oldest and the
// newest of all come in every form that changes what the compiler or the linker
// makes of a function.
func pairs() []pair {
	var list []pair
	for _, version := range []struct {
		grpc string
		goes []string
	}{
		{"1.33.1", []string{"1.20.14", "1.27.4"}},
		{"1.40.0", []string{"1.18.10", "1.24.13"}},
		{"1.50.0", []string{"1.17.13", "1.21.13", "1.26.11"}},
		{"1.58.0", []string{"1.18.10", "1.22.12", "1.27.4", "1.19.13"}},
		{"1.63.0", []string{"1.20.14", "1.23.12", "1.26.11"}},
		{"1.69.0", []string{"1.22.12", "1.24.13", "1.27.4"}},
		{"1.69.4", []string{"1.22.12", "1.25.14", "1.26.11"}},
		{"1.75.0", []string{"1.23.12", "1.24.13", "1.27.4"}},
		{"1.85.0", []string{"1.26.11"}},
	} {
		for i, goVersion := range version.goes {
			p := pair{version.grpc, goVersion, nil}
			if i%2 == 0 {
				p.flags = []string{target.Stripped}
			}
			list = append(list, p)
		}
	}
	for _, p := range []pair{{"1.33.1", "1.17.13", nil}, {"1.85.0", "1.27.4", nil}} {
		for _, flags := range [][]string{
			nil,
			{target.Stripped},
			{"-buildmode=pie", target.Stripped},
			{"-ldflags=-linkmode external"},
			{"-race"},
			{"-gcflags=all=-N -l"},
			{"-trimpath", "-gcflags=all=-l"},
		} {
			list = append(list, pair{p.grpc, p.goVersion, flags})
		}
	}
	return list
}
