package parents

import (
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// build is the server as a release of Go and one of gRPC make it.
var build = target.Parents

// called is what a build's subtest is called: a slash in it would look like two.
func called(b target.Build) string {
	grpc := b.Modules[0][strings.LastIndex(b.Modules[0], "@v")+2:]
	b.Modules = nil
	return b.String() + " grpc " + grpc
}

// knowsStarter tells whether goroutines know which one has started them: runtime.g.parentGoid is of
// Go 1.21.
func knowsStarter(b target.Build) bool {
	for _, without := range []string{"1.17.", "1.18.", "1.19.", "1.20."} {
		if strings.HasPrefix(b.Go, without) {
			return false
		}
	}
	return true
}

// knowsLast tells whether it is found where the last id of a goroutine is: in the code of
// runtime.newproc1, which has it where functions are inlined.
func knowsLast(b target.Build) bool {
	return !slices.ContainsFunc(b.Flags, func(flag string) bool {
		return strings.HasPrefix(flag, "-gcflags=all=")
	})
}

func newest() target.Build { return build("1.27.4", "1.85.0", target.Stripped) }
