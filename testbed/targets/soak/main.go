// Command soak serves calls, or makes them at a steady rate: over HTTP/1.1, HTTP/2
// and gRPC, in each of gRPC's kinds, with each way in which a call can end. It knows
// nothing of tracing.
//
// A server says the addresses that it listens on, of HTTP and of gRPC. A caller begins with the
// line "call", and makes no new calls from the line "stop" on. It answers that one when its last
// call has ended.
package main

import (
	"flag"
	"log"
	"sync"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

func main() {
	file := flag.String("tally", "", "file to count the calls in")
	web := flag.String("http", "", "address of a server to call; none: serve")
	rpc := flag.String("grpc", "", "its address for gRPC")
	rate := flag.Float64("rate", 100, "calls a second to make")
	flag.Parse()
	counts, err := tally.Create(*file)
	if err != nil {
		log.Fatal(err)
	}
	if *web == "" {
		lines.Serve(server{counts}.serve(), func(string) interface{} { return "" })
		return
	}
	c := newCaller(counts, *web, *rpc)
	var calling sync.WaitGroup
	stop := make(chan struct{})
	lines.Serve("ready", func(line string) interface{} {
		if line == "call" {
			calling.Go(func() { c.call(*rate, stop) })
			return "calling"
		}
		close(stop)
		calling.Wait()
		return "done"
	})
}
