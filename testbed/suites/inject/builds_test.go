package inject

import (
	"strings"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// build is a caller as a release of Go and one of gRPC make it.
type build struct{ target.Build }

func of(goVersion, grpc string, flags ...string) build {
	return build{target.GRPC("testbed/targets/peer", goVersion, grpc, flags...)}
}

// withoutTLS tells whether its net/http speaks HTTP/2 without TLS.
func (b build) withoutTLS() bool { return b.Go >= "1.24" }

// ownHTTP2 tells whether its golang.org/x/net/http2 is not that of net/http: from Go 1.27 on
// the versions that gRPC 1.85 and later require leave everything to it.
func (b build) ownHTTP2() bool { return !strings.HasPrefix(b.Go, "1.27.") }

// builds are a sample of the releases. What the programs read has offsets in
// debug information, which those keep.
func builds() []build {
	return []build{
		of("1.20.14", "1.58.0"),
		of("1.22.12", "1.69.4"),
		of("1.24.13", "1.75.0"),
		of("1.26.8", "1.85.0"),
		of("1.27.4", "1.85.0"),
	}
}
