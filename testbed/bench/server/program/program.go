// Package program is what all programs that the benchmark measures have in common. Those that
// are instrumented by hand are built with the tag byhand: a bare one has nothing of the SDK.
package program

import (
	"flag"
	"log"

	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// Order is a load that a program makes, one JSON object a line.
type Order struct {
	Kind string // "http", "unary", "stream" or "goroutines"
	load.Options
	Goroutines int // are started for each "call" of the kind "goroutines"
}

// startSDK sets OpenTelemetry's SDK up, and returns what exports the last spans. A bare program
// has none.
var startSDK = func() (stop func() error, err error) { return func() error { return nil }, nil }

// Run is the program from its flags to its end.
func Run(run func()) {
	flag.Parse()
	stop, err := startSDK()
	if err == nil {
		run()
		err = stop()
	}
	if err != nil {
		log.Fatal(err)
	}
}
