package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// nobody is an address at which nobody listens, and which nobody is given that asks for any.
const nobody = "127.0.0.1:1"

// caller makes calls.
type caller struct {
	counts       *tally.Tally
	http         string // address of HTTP
	http1, http2 http.Client
	rpc, toNone  *grpc.ClientConn
}

func newCaller(counts *tally.Tally, url, address string) *caller {
	second := &http.Transport{}
	web.WithoutTLSOnly(second)
	return &caller{
		counts: counts,
		http:   url,
		http1:  http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
		http2:  http.Client{Transport: second},
		rpc:    rpc.Connect(address, rpc.Secrets(false), grpc.WithNoProxy()),
		toNone: rpc.Connect(nobody, rpc.Secrets(false), grpc.WithNoProxy()),
	}
}

// call makes calls at a steady rate until it is stopped, and returns when the last
// one has ended. Classes take turns, and so do the endings of each.
func (c *caller) call(rate float64, stop <-chan struct{}) {
	var calls sync.WaitGroup
	defer calls.Wait()
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		select {
		case <-stop:
			return
		case <-time.After(time.Until(due)):
		}
		class, how := tally.Class(n)%tally.Classes, endings[n/int(tally.Classes)%len(endings)]
		calls.Go(func() {
			c.counts.Begin(class)
			err := c.one(class, how)
			c.counts.End(class, err == nil)
		})
	}
}

// one makes one call.
func (c *caller) one(class tally.Class, how ending) error {
	ctx, cancel := within(how)
	defer cancel()
	address, conn := c.http, c.rpc
	if how == refused {
		address, conn = nobody, c.toNone
	}
	url := fmt.Sprintf("http://%s/%v/%s", address, class, how)
	method := fmt.Sprintf("/%s/%v", tally.Service, class)
	ctx = metadata.AppendToOutgoingContext(ctx, "ending", string(how))
	switch class {
	case tally.HTTP1:
		_, err := web.Get(ctx, &c.http1, url)
		return err
	case tally.HTTP2:
		_, err := web.Get(ctx, &c.http2, url)
		return err
	case tally.Unary:
		return rpc.Invoke(ctx, conn, method, "a message")
	}
	return rpc.Exchange(ctx, conn, &grpc.StreamDesc{
		ServerStreams: class != tally.ClientStream, ClientStreams: class != tally.ServerStream,
	}, method)
}
