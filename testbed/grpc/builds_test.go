package grpc

import (
	"strings"

	"github.com/spanprobe/spanprobe/testbed/internal/target"
)

const (
	serverSource = "testbed/grpc/server"
	callerSource = "testbed/grpc/caller"
)

// pair is what a program is built with.
type pair struct {
	grpc, goVersion string
	flags           []string
}

// newest is what the programs at the other end of what is tested are built with.
var newest = pair{"1.85.0", "1.27.4", []string{target.Stripped}}

func (p pair) build(source string) target.Build {
	b := target.Build{
		Source: source, Go: p.goVersion, Flags: p.flags,
		Modules: []string{"google.golang.org/grpc@v" + p.grpc},
	}
	if p.grpc == "1.33.1" {
		// It does not ask for what the programs need itself.
		b.Modules = append(b.Modules, "google.golang.org/protobuf@v1.25.0")
	}
	if source == callerSource && p.hasNewClient() {
		b.Flags = append([]string{"-tags=newclient"}, p.flags...)
	}
	return b
}

// hasNewClient tells whether gRPC has grpc.NewClient, which is from 1.63 on.
func (p pair) hasNewClient() bool {
	for _, without := range []string{"1.3", "1.4", "1.5"} {
		if strings.HasPrefix(p.grpc, without) {
			return false
		}
	}
	return true
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
