package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/jaegerapi"
	"github.com/spanprobe/spanprobe/testbed/demo/waterfall"
)

type options struct {
	once   bool
	jaeger jaegerSource
}

// How long each part may take until it must answer.
const (
	jaegerDeadline  = 60 * time.Second
	serviceDeadline = 10 * time.Second
	tracingDeadline = 60 * time.Second
	traceDeadline   = 30 * time.Second
)

// run is the demo from its first check to the end. What it starts and writes is
// gone when it returns, whatever it returns.
func run(ctx context.Context, o options, t *terminal) (err error) {
	tree, err := findTree()
	if err != nil {
		return err
	}
	var m machine
	err = t.step("machine", "looking at it", func() (string, error) {
		var err error
		m, err = lookAtMachine(ctx, tree)
		return m.String(), err
	})
	if err != nil {
		return err
	}
	if err := buildCollector(ctx, t, tree); err != nil {
		return err
	}
	if err := buildShop(ctx, t, tree); err != nil {
		return err
	}
	origin, err := provideJaeger(ctx, t, tree, o.jaeger)
	if err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "spanprobe-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	shop := newShop(tree.shop())
	ports, err := freePorts(4 + len(shop.services))
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}

	jaeger := &jaeger{origin: origin, ports: jaegerPorts{query: ports[0], queryGRPC: ports[1], otlpGRPC: ports[2], otlpHTTP: ports[3]}}
	err = t.step("jaeger", "starting", func() (string, error) {
		return jaeger.url(), jaeger.start(ctx, dir, client)
	})
	defer func() { err = errors.Join(err, jaeger.stop()) }()
	if err != nil {
		return err
	}

	err = t.step("shop", "starting its services", func() (string, error) {
		if err := shop.start(ctx, dir, ports[4:]); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, and %d services behind it", shop.url(), len(shop.services)-1), nil
	})
	defer func() { err = errors.Join(err, shop.stop()) }()
	if err != nil {
		return err
	}

	collector := collector{binary: tree.collector(), asRoot: m.root}
	if err := collector.askForRoot(ctx, t); err != nil {
		return err
	}
	api := jaegerapi.Client{URL: jaeger.url(), HTTP: client}
	err = t.step("collector", "starting, and waiting for first spans", func() (string, error) {
		if err := collector.start(dir, shop.dir, jaeger.otlp()); err != nil {
			return "", err
		}
		return "spans of every service arrive in Jaeger", awaitTracing(ctx, &collector, shop, api, client)
	})
	defer func() { err = errors.Join(err, collector.process.stop()) }()
	if err != nil {
		return err
	}

	result := journey{client: client, shop: shop, api: api}
	err = t.step("traffic", "sending", func() (string, error) {
		if err := result.send(ctx); err != nil {
			return "", shop.service(entry).process.explain(err)
		}
		return fmt.Sprintf("%d requests", len(result.exchanges)), nil
	})
	if err != nil {
		return err
	}
	err = t.step("trace", "waiting for Jaeger to have it", func() (string, error) {
		err := result.readBack(ctx)
		if err != nil {
			return "", collector.process.explain(err)
		}
		return "read back from " + api.URL + "/api/v3", nil
	})
	t.blank()
	if len(result.exchanges) > 0 {
		result.writeTable(t.out, t.width())
	}
	if err != nil {
		return err
	}
	t.blank()
	if err := waterfall.Draw(t.out, result.trace, waterfall.Options{Width: t.width(), Color: t.color()}); err != nil {
		return err
	}
	t.say("\n" + result.extent())
	if o.once {
		return nil
	}
	t.blank()
	pointers{tree: tree, jaeger: jaeger, shop: shop, collector: collector, traceID: result.last().traceID()}.write(t.out)
	return stayUp(ctx, t, append(shop.processes(), jaeger.process, collector.process)...)
}

// awaitTracing visits the shop until spans of all its services are in Jaeger:
// then every step from the probe to the query works.
func awaitTracing(ctx context.Context, c *collector, shop *shop, api jaegerapi.Client, client *http.Client) error {
	return await(ctx, tracingDeadline, c.process, func(ctx context.Context) error {
		if err := shop.visit(ctx, client); err != nil {
			return err
		}
		traced, err := api.Services(ctx)
		if err != nil {
			return err
		}
		for _, name := range shop.names() {
			if !slices.Contains(traced, name) {
				return fmt.Errorf("jaeger has no span of the service %q", name)
			}
		}
		return nil
	})
}

// stayUp returns when ctx ends, or with an error when a part of the demo does.
func stayUp(ctx context.Context, t *terminal, parts ...*process) error {
	gone := make(chan *process, len(parts))
	for _, p := range parts {
		go func() { <-p.ended; gone <- p }()
	}
	select {
	case <-ctx.Done():
		t.say("\nstopping")
		return nil
	case p := <-gone:
		return p.explain(errors.New("the demo cannot go on without it"))
	}
}
