package offsets

import (
	"fmt"
	"testing"

	"github.com/spanprobe/spanprobe/bpf/grpc"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// release is a version of gRPC, and one of Go that can compile it.
type release struct{ version, goVersion string }

func TestTheTableAgreesWithReleasesOfGRPC(t *testing.T) {
	const module = "google.golang.org/grpc"
	for _, r := range releases() {
		for _, arch := range architectures {
			t.Run(fmt.Sprintf("gRPC %s with go%s on %s", r.version, r.goVersion, arch),
				func(t *testing.T) {
					server := target.MustCompile(t,
						target.Build{
							Source: "testbed/targets/grpc", Go: r.goVersion,
							Arch: string(arch), Modules: []string{module + "@" + r.version},
						})
					caller := target.MustCompile(t,
						target.Build{
							Source: "testbed/targets/grpccaller", Go: r.goVersion,
							Arch: string(arch), Modules: []string{module + "@" + r.version},
						})
					for _, c := range []struct {
						library string
						count   int
						least   int
					}{
						{
							"server, of gRPC",
							compare(t, server, grpc.Server(), module, r.version, arch),
							5,
						},
						{"server, of Go", compare(t, server, grpc.Server(), model.ModuleStd,
							r.goVersion, arch), 12},
						{
							"client, of gRPC",
							compare(t, caller, grpc.Client(), module, r.version, arch),
							5,
						},
						{"client, of Go", compare(t, caller, grpc.Client(), model.ModuleStd,
							r.goVersion, arch), 12},
					} {
						if c.count < c.least {
							t.Errorf("%s: only %d fields could be compared", c.library, c.count)
						}
					}
				})
		}
	}
}
