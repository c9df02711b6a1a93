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
	jaegerDeadline     = 60 * time.Second
	storefrontDeadline = 10 * time.Second
	tracingDeadline    = 60 * time.Second
	traceDeadline      = 30 * time.Second
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
	if err := buildStorefront(ctx, t, tree); err != nil {
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
	ports, err := freePorts(5)
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

	shop := storefront{binary: tree.storefront(), address: loopback(ports[4])}
	err = t.step("storefront", "starting", func() (string, error) {
		if err := shop.start(ctx, dir, client); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, process %d", shop.url(), shop.process.pid()), nil
	})
	defer func() { err = errors.Join(err, shop.process.stop()) }()
	if err != nil {
		return err
	}

	collector := collector{binary: tree.collector(), asRoot: m.root}
	if err := collector.askForRoot(ctx, t); err != nil {
		return err
	}
	api := jaegerapi.Client{URL: jaeger.url(), HTTP: client}
	err = t.step("collector", "starting, and waiting for a first span", func() (string, error) {
		if err := collector.start(dir, tree.storefront(), jaeger.otlp()); err != nil {
			return "", err
		}
		return "spans of the storefront arrive in Jaeger", awaitTracing(ctx, &collector, &shop, api, client)
	})
	defer func() { err = errors.Join(err, collector.process.stop()) }()
	if err != nil {
		return err
	}

	result := journey{client: client, shop: shop.url(), api: api}
	err = t.step("traffic", "sending", func() (string, error) {
		if err := result.send(ctx); err != nil {
			return "", shop.process.explain(err)
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
		result.writeTable(t.out)
	}
	if err != nil {
		return err
	}
	t.blank()
	if err := waterfall.Draw(t.out, result.trace, waterfall.Options{Width: t.width(), Color: t.color()}); err != nil {
		return err
	}
	if o.once {
		return nil
	}
	t.blank()
	pointers{tree: tree, jaeger: jaeger, shop: shop, collector: collector, traceID: result.last().traceID()}.write(t.out)
	return stayUp(ctx, t, jaeger.process, shop.process, collector.process)
}

// awaitTracing asks the storefront for its health until a span of it is in
// Jaeger: then every step from the probe to the query works.
func awaitTracing(ctx context.Context, c *collector, shop *storefront, api jaegerapi.Client, client *http.Client) error {
	return await(ctx, tracingDeadline, c.process, func(ctx context.Context) error {
		if err := shop.health(ctx, client); err != nil {
			return err
		}
		services, err := api.Services(ctx)
		if err == nil && !slices.Contains(services, serviceName) {
			err = fmt.Errorf("jaeger has no span of the service %q", serviceName)
		}
		return err
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
