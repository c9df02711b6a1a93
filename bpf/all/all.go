// Package all is the registry of what is loaded into the kernel: the instrumented
// libraries, and the tracepoints.
package all

import (
	"slices"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/bpf/golang"
	"github.com/spanprobe/spanprobe/bpf/goroutine"
	"github.com/spanprobe/spanprobe/bpf/grpc"
	"github.com/spanprobe/spanprobe/bpf/nethttp"
	"github.com/spanprobe/spanprobe/bpf/process"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// folders has the libraries of each folder.
var folders = []func() []probe.Library{
	nethttp.Libraries,
	grpc.Libraries,
	goroutine.Libraries,
}

// Libraries returns every instrumented library. Auxiliary ones, which work for the others, are the
// last.
func Libraries() []probe.Library {
	var libraries, auxiliary []probe.Library
	for _, folder := range folders {
		for _, library := range folder() {
			if library.Auxiliary() {
				auxiliary = append(auxiliary, library)
			} else {
				libraries = append(libraries, library)
			}
		}
	}
	return slices.Concat(libraries, auxiliary)
}

// Rules returns how the table of offsets comes to know Go itself and the libraries' modules, by the
// path of the module.
func Rules() (map[string]probe.Rule, error) {
	rules := []probe.Rule{golang.Rule()}
	for _, library := range Libraries() {
		rules = append(rules, library.Rules...)
	}
	return probe.Rules(rules)
}

// Tracepoints returns a fresh specification of the programs that report on processes; listen says
// whether they report listen(2), too.
func Tracepoints(listen bool) (*ebpf.CollectionSpec, error) { return process.Load(listen) }
