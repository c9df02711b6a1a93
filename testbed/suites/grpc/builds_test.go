package grpc

import (
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

const (
	serverSource = "testbed/targets/grpc"
	callerSource = "testbed/targets/grpccaller"
)

// pair is what a program is built with.
type pair struct {
	grpc, goVersion string
	flags           []string
}

// newest is what the programs at the other end of what is tested are built with.
var newest = pair{"1.85.0", "1.27.4", []string{target.Stripped}}

func (p pair) build(source string) target.Build {
	return target.GRPC(source, p.goVersion, p.grpc, p.flags...)
}

// userAgent is what clients call themselves.
func (p pair) userAgent() string {
	if p.grpc == "1.69.0" {
		return "grpc-go/1.69.0-dev" // version.go of that release
	}
	return "grpc-go/" + p.grpc
}

// builds are a program as it is built with each pair.
func builds(source string) []target.Build {
	var list []target.Build
	for _, p := range pairs() {
		list = append(list, p.build(source))
	}
	return list
}
