package target

import (
	"go/version"
)

// grpcCaller is a program that is written in two ways.
const grpcCaller = "testbed/targets/grpccaller"

// GRPC is how a program of the testbed is compiled with a release of gRPC: "1.69.4".
func GRPC(source, goVersion, release string, flags ...string) Build {
	module := "google.golang.org/grpc@v" + release
	b := Build{Source: source, Go: goVersion, Flags: flags, Modules: []string{module}}
	if release == "1.33.1" {
		// It does not ask for what the programs need itself.
		b.Modules = append(b.Modules, "google.golang.org/protobuf@v1.25.0")
	}
	// Its releases are numbered as Go's are. From 1.63 on they have grpc.NewClient.
	if source == grpcCaller && version.Compare("go"+release, "go1.63.0") >= 0 {
		b.Flags = append([]string{"-tags=newclient"}, flags...)
	}
	return b
}
