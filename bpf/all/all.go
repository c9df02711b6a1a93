// Package all is the registry of the instrumented libraries.
package all

import (
	"github.com/spanprobe/spanprobe/bpf/goroutine"
	"github.com/spanprobe/spanprobe/bpf/grpc"
	"github.com/spanprobe/spanprobe/bpf/inject"
	"github.com/spanprobe/spanprobe/bpf/nethttp"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// Libraries returns every instrumented library, and what works for them.
func Libraries() []probe.Library {
	return []probe.Library{
		nethttp.Server(),
		nethttp.Client(),
		grpc.Server(),
		grpc.Client(),
		inject.Library(),
		goroutine.Library(),
	}
}
