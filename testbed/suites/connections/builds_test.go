package connections

import (
	"go/version"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// ends are what the programs at both ends are built with.
type ends struct{ client, server target.Build }

// build is a peer as a release of Go and one of gRPC make it.
func build(goVersion, grpc string, flags ...string) target.Build {
	return target.GRPC("testbed/targets/peer", goVersion, grpc, flags...)
}

var (
	newest = build("1.27.4", "1.85.0", target.Stripped)
	middle = build("1.22.12", "1.69.4")
	oldest = build("1.20.14", "1.58.0", target.Stripped)
)

func (e ends) String() string { return name(e.client) + " to " + name(e.server) }

// name is what a build is called in the name of a subtest: a slash would look like two.
func name(b target.Build) string {
	grpc := b.Modules[0][strings.LastIndex(b.Modules[0], "@v")+2:]
	b.Modules = nil
	return b.String() + " grpc " + grpc
}

// wrapped is what is expected where ends of a connection lie in types of the program's own. Go
// describes its types as the programs read them from 1.21 on.
func wrapped(ends ...target.Build) expectation {
	for _, end := range ends {
		if version.Compare("go"+end.Go, "go1.21") < 0 {
			return ifKnown
		}
	}
	return linked
}

// withoutTLS tells whether both ends speak HTTP/2 without TLS, which net/http does from Go 1.24 on.
func (e ends) withoutTLS() bool { return since124[e.client.Go[:4]] && since124[e.server.Go[:4]] }

var since124 = map[string]bool{"1.24": true, "1.25": true, "1.26": true, "1.27": true}
