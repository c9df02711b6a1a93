// Command bare serves without any tracing of its own.
package main

import (
	"flag"
	"log"

	"github.com/spanprobe/spanprobe/testbed/bench/server/hello"
)

func main() {
	overTLS := flag.Bool("tls", false, "serve over TLS")
	flag.Parse()
	serve := hello.Serve
	if *overTLS {
		serve = hello.ServeTLS
	}
	if err := serve(hello.Handler()); err != nil {
		log.Fatal(err)
	}
}
