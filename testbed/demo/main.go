// Command demo shows spanprobe at work: it builds a collector, a shop of five small services and
// Jaeger, runs them on loopback, sends the shop some requests, tells which spans Jaeger has of
// each service, and draws one trace. Everything that it started and wrote goes away with it, but
// for what it built in dist/.
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
	source := jaegerAuto
	flag.Func("jaeger", "where Jaeger comes from: `auto`, image or module", source.Set)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "demo: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, newTerminal(os.Stdout), *once, source)
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
