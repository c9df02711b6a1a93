// Command demo shows spanprobe at work: it runs a collector, a shop of five small services and
// Jaeger on loopback, sends the shop some requests, tells which spans Jaeger has of each service,
// and draws one trace. Everything that it started and wrote goes away with it. `make demo` builds
// what it needs into dist/, and runs it as root.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"golang.org/x/term"

	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
	otelcol "github.com/spanprobe/spanprobe/testbed/harness/collector"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
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

// patience is how long each part may take until it must answer.
const patience = 60 * time.Second

// client sends the demo's requests, to the shop and to Jaeger.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}

// demo is all that is started and shown.
type demo struct {
	dist      string // folder of what `make demo` has built
	dir       string // of logs and configurations
	jaeger    jaeger
	shop      *shop
	collector *otelcol.Collector
	journey   journey
}

// run is the demo from its first step to the end. Everything that it starts and writes is gone
// when it returns, whatever it returns.
func run(ctx context.Context, engine string, once bool) (err error) {
	root, err := target.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spanprobe-demo-")
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	d := &demo{
		dist: dist, dir: dir, shop: newShop(filepath.Join(dist, "shop"), dir),
		jaeger: jaeger{engine: engine, binary: filepath.Join(dist, "jaeger"), dir: dir},
	}
	d.journey = journey{shop: d.shop, jaeger: &d.jaeger}
	defer func() {
		left := errors.Join(d.stopCollector(), d.shop.stop(), d.jaeger.stop(), os.RemoveAll(dir))
		if err != nil && left != nil { // it is no interrupt after which all has ended
			left = errors.New(err.Error() + "\n" + left.Error())
		}
		if left != nil {
			err = left
		}
	}()
	for _, s := range []struct {
		name string
		work func(context.Context) (result string, err error)
	}{
		{"start Jaeger", d.jaeger.start},
		{"start the shop", d.shop.start},
		{"start the collector", d.trace},
		{"send requests", d.journey.send},
		{"wait for their spans", d.readBack},
	} {
		if err = step(s.name, func() (string, error) { return s.work(ctx) }); err != nil {
			break
		}
	}
	return d.show(ctx, once, err)
}

// step tells what is done, and then the result and how long it has taken.
func step(name string, work func() (string, error)) error {
	fmt.Printf("  %-20s  ", name)
	start := time.Now()
	result, err := work()
	took := time.Since(start).Round(100 * time.Millisecond)
	switch {
	case errors.Is(err, context.Canceled):
		result = "interrupted after"
	case err != nil:
		result = "failed after"
	}
	fmt.Printf("%s %v\n", result, took)
	return err
}

// show shows the spans that came, also where not all of them did, and stays up if it is to.
func (d *demo) show(ctx context.Context, once bool, failure error) error {
	if d.journey.spans != nil {
		fmt.Println()
		d.journey.writeTable(os.Stdout)
	}
	if failure != nil {
		return failure
	}
	fmt.Println()
	if err := waterfall.Draw(os.Stdout, d.journey.trace, screen()); err != nil {
		return err
	}
	fmt.Println("\n" + d.journey.extent())
	if once {
		return nil
	}
	if err := d.point(); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Println("\nstopping")
	return nil
}

// screen is how to draw on standard output. A file or a pipe has no width to fit; for colours see
// https://no-color.org.
func screen() waterfall.Options {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return waterfall.Options{Width: 120}
	}
	colors := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return waterfall.Options{Width: min(width, 120), Color: colors}
}

// collectorConfig is the configuration that a user would write to trace all executables of a
// directory, but for the short batches that bring their spans to Jaeger soon.
func collectorConfig(targets, endpoint string) otelcol.Config {
	return otelcol.Config{
		Settings:     otelcol.Targets(otelcol.Literal(targets) + "/*"),
		Endpoint:     endpoint,
		BatchTimeout: 200 * time.Millisecond,
	}
}

// trace starts the collector, and visits the shop until spans of all its services are in Jaeger:
// then every step from the probe to the query works.
func (d *demo) trace(ctx context.Context) (result string, err error) {
	config := collectorConfig(d.shop.dir, d.jaeger.OTLP)
	binary := filepath.Join(d.dist, "otelcol-spanprobe")
	if d.collector, err = otelcol.Start(d.dir, binary, config, process.Options{}); err != nil {
		return "", err
	}
	began := time.Now()
	err = d.collector.Await(ctx, patience, func(ctx context.Context) error {
		if err := d.shop.visit(ctx); err != nil {
			return err
		}
		for _, service := range d.shop.services {
			traces, err := d.jaeger.find(ctx, service.name, began)
			if err != nil {
				return err
			} else if len(traces) == 0 {
				return fmt.Errorf("jaeger has no span of the service %q", service.name)
			}
		}
		return nil
	})
	return "spans of every service arrive in Jaeger, after", err
}

func (d *demo) stopCollector() error {
	if d.collector == nil {
		return nil
	}
	return d.collector.Stop()
}

// readBack waits until Jaeger has the right spans for every call.
func (d *demo) readBack(ctx context.Context) (string, error) {
	err := d.collector.Await(ctx, patience, d.journey.look)
	return "Jaeger has them all, after", err
}

//go:embed pointers.txt.tmpl
var pointersText string

var pointers = template.Must(template.New("pointers").Parse(pointersText))

// point tells where the reader can go on.
func (d *demo) point() error {
	return pointers.Execute(os.Stdout, map[string]any{
		"engine": d.jaeger.engine, "jaeger": d.jaeger.url(), "trace": d.journey.last().trace,
		"shop": d.shop.url(), "pid": d.shop.service(entry).process.PID,
		"inspector": filepath.Join(d.dist, "spanprobe"), "dir": d.dir,
	})
}
