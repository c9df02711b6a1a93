package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// messages is how many a side sends in a stream.
const messages = 3

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

func newCaller(counts *tally.Tally, web, rpc string) (*caller, error) {
	c := &caller{counts: counts, web: web}
	var err error
	if c.nobody, err = bound(); err != nil {
		return nil, err
	}
	c.http1 = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	second := new(http.Protocols)
	second.SetUnencryptedHTTP2(true)
	c.http2 = &http.Client{Transport: &http.Transport{Protocols: second}}
	if c.rpc, err = connect(rpc); err != nil {
		return nil, err
	}
	c.toNone, err = connect(c.nobody)
	return c, err
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

func connect(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
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
		return conn.Invoke(ctx, method, wrapperspb.String("a message"), new(wrapperspb.StringValue))
	}
	return exchange(ctx, conn, method, class)
}

func (c *caller) get(ctx context.Context, client *http.Client, class tally.Class, how ending) error {
	address := c.web
	if how == refused {
		address = c.nobody
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/%v/%s", address, class, how), nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// exchange makes a call of several messages, and reads it to its end.
func exchange(ctx context.Context, conn *grpc.ClientConn, method string, class tally.Class) error {
	kind := &grpc.StreamDesc{ServerStreams: class != tally.ClientStream, ClientStreams: class != tally.ServerStream}
	stream, err := conn.NewStream(ctx, kind, method)
	if err != nil {
		return err
	}
	for i := 0; i < messages && (i == 0 || kind.ClientStreams); i++ {
		err := stream.SendMsg(wrapperspb.String("a message"))
		if errors.Is(err, io.EOF) {
			break // the call has ended, and what is received says how
		}
		if err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		err := stream.RecvMsg(new(wrapperspb.StringValue))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || !kind.ServerStreams {
			return err // of a single answer, RecvMsg waits for the end as well
		}
	}
}
