// Command barecalls makes calls, or serves them over gRPC, without any tracing of
// its own.
package main

import (
	"log"

	"github.com/spanprobe/spanprobe/testbed/bench/server/calls"
)

func main() {
	if err := calls.ParseFlags().Run(calls.Instrumentation{}); err != nil {
		log.Fatal(err)
	}
}
