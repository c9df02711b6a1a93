package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// patience is how long each part may take until it must answer.
const patience = 60 * time.Second

// client sends the demo's requests, to the shop and to Jaeger.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}

// demo is all that is built, started and shown.
type demo struct {
	*terminal
	tree      tree
	jaeger    jaeger
	shop      *shop
	collector collector
	journey   journey
}

// run is the demo from its first check to the end. Everything that it starts and writes is gone
// when it returns, whatever it returns.
func run(ctx context.Context, t *terminal, once bool, source jaegerSource) (err error) {
	tree, err := findTree()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spanprobe-demo-")
	if err != nil {
		return err
	}
	d := &demo{
		terminal: t, tree: tree, shop: newShop(tree, tree.dist("shop"), dir),
		jaeger: jaeger{dir: dir}, collector: collector{dir: dir},
	}
	d.journey = journey{shop: d.shop, jaeger: &d.jaeger}
	defer func() {
		left := errors.Join(d.collector.stop(), d.shop.stop(), d.jaeger.stop(), os.RemoveAll(dir))
		if err != nil && left != nil { // it is no interrupt after which all has ended
			left = errors.New(err.Error() + "\n" + left.Error())
		}
		if left != nil {
			err = left
		}
	}()
	step := func(name, doing string, work func(context.Context) (string, error)) {
		if err == nil {
			err = t.step(name, doing, func() (string, error) { return work(ctx) })
		}
	}
	step("machine", "looking at it", d.lookAtMachine)
	step("collector", "building with ocb", d.buildCollector)
	step("shop", fmt.Sprintf("building its %d services", len(d.shop.services)), d.shop.build)
	if err == nil {
		err = d.provideJaeger(ctx, source)
	}
	step("jaeger", "starting", d.jaeger.start)
	step("shop", "starting its services", d.shop.start)
	if err == nil {
		err = d.askForRoot(ctx)
	}
	step("collector", "starting, and waiting for first spans", d.trace)
	step("traffic", "sending", d.journey.send)
	step("trace", "waiting for Jaeger to have it", d.readBack)
	return d.show(ctx, once, err)
}

// show shows the spans that came, also where not all of them did, and stays up if it is to.
func (d *demo) show(ctx context.Context, once bool, failure error) error {
	if d.journey.spans != nil {
		d.say("")
		d.journey.writeTable(d.out, d.width())
	}
	if failure != nil {
		return failure
	}
	d.say("")
	options := waterfall.Options{Width: d.width(), Color: d.color()}
	if err := waterfall.Draw(d.out, d.journey.trace, options); err != nil {
		return err
	}
	d.say("\n" + d.journey.extent())
	if once {
		return nil
	}
	if err := d.point(); err != nil {
		return err
	}
	return d.stayUp(ctx)
}

// trace starts the collector, and visits the shop until spans of all its services are in Jaeger:
// then every step from the probe to the query works.
func (d *demo) trace(ctx context.Context) (string, error) {
	if err := d.collector.start(d.tree.collector(), d.shop.dir, d.jaeger.OTLP); err != nil {
		return "", err
	}
	err := d.collector.process.Await(ctx, patience, func(ctx context.Context) error {
		if err := d.shop.visit(ctx); err != nil {
			return err
		}
		traced, err := d.jaeger.api().Services(ctx)
		if err != nil {
			return err
		}
		for _, service := range d.shop.services {
			if !slices.Contains(traced, service.name) {
				return fmt.Errorf("jaeger has no span of the service %q", service.name)
			}
		}
		return nil
	})
	return "spans of every service arrive in Jaeger", err
}

// readBack waits until Jaeger has the right spans for every call.
func (d *demo) readBack(ctx context.Context) (string, error) {
	err := d.collector.process.Await(ctx, patience, d.journey.look)
	return "read back from " + d.jaeger.url() + "/api/v3", err
}

// stayUp returns when ctx ends, or with an error when a part of the demo does.
func (d *demo) stayUp(ctx context.Context) error {
	parts := []*process.Process{d.jaeger.process, d.collector.process}
	for _, service := range d.shop.services {
		parts = append(parts, service.process)
	}
	gone := make(chan *process.Process, len(parts))
	for _, p := range parts {
		go func() { <-p.Ended(); gone <- p }()
	}
	select {
	case <-ctx.Done():
		d.say("\nstopping")
		return nil
	case p := <-gone:
		return p.Explain(errors.New("the demo cannot go on without it"))
	}
}
