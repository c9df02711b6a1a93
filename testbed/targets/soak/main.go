// Command peer serves calls, or makes them at a steady rate: over HTTP/1.1, HTTP/2
// and gRPC, in each of gRPC's kinds, with each way in which a call can end. It knows
// nothing of tracing.
//
// A server prints the addresses that it listens on, of HTTP and of gRPC, and ends
// when its standard input does. A caller begins with the first line that it reads,
// makes no new calls from the second one on, and ends likewise. It answers each
// line, the second when its last call has ended.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

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
		addresses, err := serve(counts)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(addresses)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	c, err := newCaller(counts, *web, *rpc)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	c.follow(bufio.NewScanner(os.Stdin), *rate)
}

// follow makes calls as it is told to.
func (c *caller) follow(lines *bufio.Scanner, rate float64) {
	if !lines.Scan() {
		return
	}
	fmt.Println("calling")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		c.call(rate, stop)
	}()
	if !lines.Scan() {
		return
	}
	close(stop)
	<-done
	fmt.Println("done")
	lines.Scan()
}
