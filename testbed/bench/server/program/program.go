// Package program is what all programs that the benchmark measures have in common. Those that
// are instrumented by hand are built with the tag byhand: a bare one has nothing of the SDK.
package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

// startSDK sets OpenTelemetry's SDK up, and returns what exports the last spans. It is nil in a
// bare program.
var startSDK func() (stop func() error, err error)

// Run is the program from its flags to its end.
func Run(run func() error) {
	flag.Parse()
	if err := traced(run); err != nil {
		log.Fatal(err)
	}
}

func traced(run func() error) error {
	if startSDK == nil {
		return run()
	}
	stop, err := startSDK()
	if err != nil {
		return err
	}
	return errors.Join(run(), stop())
}

// Serve serves on a free port of loopback. It prints the address, and returns when standard
// input is closed.
func Serve(accept func(net.Listener) error) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- accept(listener) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	fmt.Println(listener.Addr())
	return <-failed
}
