// Command demo shows spanprobe at work: it runs a collector, a shop of five small services and
// Jaeger on loopback, sends the shop some requests, tells which spans Jaeger has of each service,
// and draws one trace. Everything that it started and wrote goes away with it. `make demo` builds
// what it needs into dist/, and runs it as root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	once := flag.Bool("once", false,
		"end when the trace is drawn, instead of staying up until Ctrl-C")
	engine := flag.String("engine", "", "the container engine that runs Jaeger's image, "+
		"`docker` or podman; none: dist/jaeger is run, which has no web page")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "demo: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *engine, *once)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
	case interrupted && errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "demo: interrupted; all that it started has ended")
		os.Exit(130) // as a shell reports of a program that Ctrl-C ended
	default:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
