package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// caller makes calls.
type caller struct {
	counts *tally.Tally
	web    string // address of HTTP
	nobody string // address at which nobody listens
	http1  *http.Client
	http2  *http.Client
	rpc    *grpc.ClientConn
	toNone *grpc.ClientConn // to nobody
}

func newCaller(counts *tally.Tally, url, address string) (*caller, error) {
	c := &caller{counts: counts, web: url}
	var err error
	if c.nobody, err = bound(); err != nil {
		return nil, err
	}
	c.http1 = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	second := &http.Transport{}
	web.WithoutTLSOnly(second)
	c.http2 = &http.Client{Transport: second}
	c.rpc = rpc.Connect(address, rpc.Secrets(false), grpc.WithNoProxy())
	c.toNone = rpc.Connect(c.nobody, rpc.Secrets(false), grpc.WithNoProxy())
	return c, nil
}

// bound returns an address that is taken, so that nobody else gets it, and that
// nobody listens on.
func bound() (string, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	address, err := unix.Getsockname(socket)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", address.(*unix.SockaddrInet4).Port), nil
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
	switch class {
	case tally.HTTP1:
		return c.get(ctx, c.http1, class, how)
	case tally.HTTP2:
		return c.get(ctx, c.http2, class, how)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "ending", string(how))
	conn, method := c.rpc, "/"+tally.Service+"/"+class.String()
	if how == refused {
		conn = c.toNone
	}
	if class == tally.Unary {
		return rpc.Invoke(ctx, conn, method, "a message")
	}
	kind := &grpc.StreamDesc{
		ServerStreams: class != tally.ClientStream, ClientStreams: class != tally.ServerStream,
	}
	return rpc.Exchange(ctx, conn, kind, method)
}

func (c *caller) get(
	ctx context.Context, client *http.Client, class tally.Class, how ending,
) error {
	address := c.web
	if how == refused {
		address = c.nobody
	}
	_, err := web.Get(ctx, client, fmt.Sprintf("http://%s/%v/%s", address, class, how), nil)
	return err
}
