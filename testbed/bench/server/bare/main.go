// Command bare serves without any tracing of its own.
package main

import (
	"log"

	"github.com/spanprobe/spanprobe/testbed/bench/server/hello"
)

func main() {
	if err := hello.Serve(hello.Handler()); err != nil {
		log.Fatal(err)
	}
}
