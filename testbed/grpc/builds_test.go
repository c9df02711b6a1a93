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
	if source == callerSource && !strings.HasPrefix(p.grpc, "1.4") && !strings.HasPrefix(p.grpc, "1.5") {
		b.Flags = append([]string{"-tags=newclient"}, p.flags...)
	}
	return b
}

// builds are a program as it is built with each pair.
func builds(source string) []target.Build {
	var list []target.Build
	for _, p := range pairs() {
		list = append(list, p.build(source))
	}
	return list
}
