//go:build matrix

package connections

import "github.com/spanprobe/spanprobe/testbed/harness/target"

// pairs have each build at both ends once, beside one that is another.
func pairs() []ends {
	list := []ends{
		{newest, newest},
		{oldest, newest},
		{newest, oldest},
		{newest, middle},
		{middle, oldest},
	}
	for _, b := range []target.Build{
		build("1.20.14", "1.33.1"),
		build("1.21.13", "1.58.0", target.Stripped),
		build("1.22.0", "1.63.0", target.Stripped),
		build("1.23.12", "1.69.0"),
		build("1.24.13", "1.75.0", target.Stripped),
		build("1.25.14", "1.75.0"),
		build("1.26.8", "1.85.0", "-buildmode=pie", target.Stripped),
		build("1.27.4", "1.85.0", "-race"),
		build("1.27.4", "1.85.0", "-gcflags=all=-N -l"),
	} {
		list = append(list, ends{b, newest}, ends{newest, b})
	}
	return list
}
