package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
)

const patience = time.Minute // on a machine that is emulated, too

// client makes the request of a number, of an order that is for its connections.
type client func(ctx context.Context, o order, number int) error

var (
	mu      sync.Mutex
	clients = map[string]client{}
)

// clientFor returns the one whose connections an order is for.
func clientFor(o order) client {
	mu.Lock()
	defer mu.Unlock()
	key := fmt.Sprint(o.Protocol, o.Network, o.Address, o.TLS, o.Close, o.Age, o.Wrapped,
		o.LocalPort, o.Reset, o.FastOpen)
	if clients[key] == nil {
		clients[key] = map[string]func(order) client{
			"http1": newWeb, "http2": newWeb, "net2": newWeb, "unary": newRPC, "stream": newRPC,
		}[o.Protocol](o)
	}
	return clients[key]
}

// follow makes the requests of an order, and returns the errors.
func follow(parent context.Context, text string) []string {
	var o order
	lines.Parse(text, &o)
	send := clientFor(o)
	numbers := make(chan int, o.Requests)
	for i := o.First; i < o.First+o.Requests; i++ {
		numbers <- i
	}
	close(numbers)
	errs := []string{}
	_ = pool.Each(o.AtOnce, func(int) error {
		for i := range numbers {
			ctx, cancel := context.WithTimeout(parent, patience)
			if err := send(ctx, o, i); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Sprintf("%s: %v", o.path(i), err))
				mu.Unlock()
			}
			cancel()
		}
		return nil
	})
	return errs
}

var (
	forwarded order // that each request makes one of; without a protocol, there is none
	workers   = pool.New(50)
)

// forward makes the request of another that has an id.
func forward(ctx context.Context, id string) (err error) {
	o, number := forwarded, 0
	if o.Protocol == "" {
		return nil
	}
	if o.id = id; o.Own != "" {
		if number, err = strconv.Atoi(id); err != nil {
			return err
		}
	}
	send := func() error { return clientFor(o)(ctx, o, number) }
	if o.Pooled {
		return workers.Do(send)
	}
	return send()
}

// dials tells whether connections are made by dial, and not as a library does it by itself.
func (o order) dials() bool { return o.Network != "" }

// dial makes a connection as an order says.
func (o order) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{}
	if o.LocalPort != 0 {
		dialer.LocalAddr = &net.TCPAddr{Port: o.LocalPort}
		dialer.Control = enabled(syscall.SOL_SOCKET, syscall.SO_REUSEADDR)
	}
	if o.FastOpen {
		const connectLater = 30 // TCP_FASTOPEN_CONNECT: include/uapi/linux/tcp.h
		dialer.Control = enabled(syscall.IPPROTO_TCP, connectLater)
	}
	c, err := dialer.DialContext(ctx, o.Network, o.Address)
	if err != nil {
		return nil, err
	}
	if o.Reset {
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			return nil, err
		}
	}
	if o.Wrapped {
		return wrap(c), nil
	}
	return c, nil
}

// enabled sets an option of a socket before that is connected.
func enabled(level, option int) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		failure := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), level, option, 1)
		})
		if failure != nil {
			return failure
		}
		return err
	}
}
