// Command bench measures what tracing costs: one small HTTP server is run bare, instrumented by
// hand, traced by spanprobe, and beside a traced process of the same file, in alternating rounds
// on one machine, and so are clients of HTTP and gRPC, and a server of gRPC. It writes its report
// into a page, and needs root, to attach probes and to count their hits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// Exit codes.
const (
	exitInvalid     = 1 // the run is: there is no report
	exitUsage       = 2
	exitInterrupted = 130 // what a shell reports for a program that Ctrl-C ended
)

type options struct {
	rounds      int
	duration    time.Duration
	rate        float64 // requests a second
	arrival     float64 // requests a second
	connections int
	page        string // path; "" for docs/benchmarks.md, "-" for none
}

func (o *options) define(f *flag.FlagSet) {
	f.IntVar(&o.rounds, "rounds", 5, "how often each case is measured")
	f.DurationVar(&o.duration, "duration", 5*time.Second, "how long each load lasts")
	f.Float64Var(&o.rate, "rate", 8000, "requests a second of the fixed load: half as many over "+
		"HTTP/2, and 3 of 8 calls of each kind. A lower one is for a machine that does not hold it")
	f.Float64Var(&o.arrival, "arrival-rate", 20_000,
		"requests a second at which every span must arrive")
	f.IntVar(&o.connections, "connections", 16, "how many connections the requests are sent over")
	f.StringVar(&o.page, "out", "", "the `path` of the page that the report is written into, "+
		"- for none (default: docs/benchmarks.md)")
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == sinkCommand {
		exit(runSink(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 4 && os.Args[1] == inspectCommand {
		exit(inspectOnce(os.Args[2], os.Args[3], os.Stdout))
	}
	var o options
	o.define(flag.CommandLine)
	flag.Parse()
	if err := o.validate(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitUsage)
	}

	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	run, err := measure(ctx, &o, os.Stderr)
	interrupted := ctx.Err() != nil
	stop()
	if interrupted {
		fmt.Fprintln(os.Stderr, "bench: interrupted:", err)
		os.Exit(exitInterrupted)
	}
	if err == nil {
		err = publish(run, &o, os.Stdout)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitInvalid)
	}
	os.Exit(0)
}

func (o *options) validate(arguments []string) error {
	switch {
	case len(arguments) > 0:
		return fmt.Errorf("unexpected argument %q", arguments[0])
	case o.rounds < 1 || o.connections < 1 || o.duration <= 0 || min(o.rate, o.arrival) <= 0:
		return errors.New("rounds, durations, connections and rates are positive")
	}
	return nil
}

// publish writes the report into the page, and the outcome for who waits for it.
func publish(run *report.Run, o *options, w io.Writer) error {
	section, checks := run.Markdown(), run.Checks()
	if o.page != "-" {
		page, err := os.ReadFile(o.page)
		if err != nil {
			return err
		}
		text, err := report.Replace(string(page), section)
		if err != nil {
			return fmt.Errorf("%s: %w", o.page, err)
		}
		if err := os.WriteFile(o.page, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(w, "The report is in %s.\n\n", o.page)
	}
	fmt.Fprintln(w, section)
	for _, check := range checks {
		fmt.Fprintf(w, "%-9s  %s: %s\n", check.Outcome, check.Target, check.Measured)
	}
	return nil
}
