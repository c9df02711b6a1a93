package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const patience = 20 * time.Second

// client makes a request of a path.
type client func(ctx context.Context, path string) error

var clients = map[string]client{}

// follow makes the requests of an order, and returns the errors.
func follow(o order) []string {
	key := fmt.Sprint(o.Protocol, o.Network, o.Address, o.TLS, o.Close, o.Wrapped, o.LocalPort, o.Reset)
	if clients[key] == nil {
		clients[key] = newClient(o)
	}
	numbers := make(chan int, o.Requests)
	for i := o.First; i < o.First+o.Requests; i++ {
		numbers <- i
	}
	close(numbers)
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := []string{}
	for g := 0; g < o.AtOnce; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range numbers {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				if err := clients[key](ctx, fmt.Sprintf("/%s/%d", o.Name, i)); err != nil {
					mu.Lock()
					errs = append(errs, err.Error())
					mu.Unlock()
				}
				cancel()
			}
		}()
	}
	wg.Wait()
	return errs
}

func newClient(o order) client {
	switch o.Protocol {
	case "http1", "http2":
		return newWeb(o)
	case "unary", "stream":
		return newRPC(o)
	}
	panic("no such protocol: " + o.Protocol)
}

// dial makes a connection as an order says.
func (o order) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{}
	if o.LocalPort != 0 {
		dialer.LocalAddr = &net.TCPAddr{Port: o.LocalPort}
		dialer.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			if controlErr := c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			}); controlErr != nil {
				return controlErr
			}
			return err
		}
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
		return &wrapped{Conn: c}, nil
	}
	return c, nil
}

func newWeb(o order) client {
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return o.dial(ctx) },
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2:   o.Protocol == "http2",
		DisableKeepAlives:   o.Close,
		MaxIdleConnsPerHost: 100,
	}
	scheme, host := "http", o.Address
	switch {
	case o.TLS:
		scheme = "https"
	case o.Protocol == "http2":
		withoutTLSOnly(transport)
	}
	if o.Network == "unix" {
		host = "local"
	}
	c := &http.Client{Transport: transport}
	return func(ctx context.Context, path string) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+path, nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if major := map[string]int{"http1": 1, "http2": 2}[o.Protocol]; response.ProtoMajor != major {
			return fmt.Errorf("%s: answered over %s", path, response.Proto)
		}
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
}

// newRPC makes a client of one connection.
func newRPC(o order) client {
	secrets := grpc.WithInsecure() //nolint:staticcheck // deprecated, but all releases have it
	if o.TLS {
		secrets = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	c, err := grpc.Dial("passthrough:///server", secrets, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { //nolint:staticcheck // as above
		return o.dial(ctx)
	}))
	if err != nil {
		panic(err)
	}
	if o.Protocol == "unary" {
		return func(ctx context.Context, path string) error {
			return c.Invoke(ctx, path, wrapperspb.String("a message"), new(wrapperspb.StringValue))
		}
	}
	return func(ctx context.Context, path string) error { return converse(ctx, c, path) }
}

func converse(ctx context.Context, c *grpc.ClientConn, path string) error {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path)
	if err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		if err := s.SendMsg(wrapperspb.String("a message")); err != nil {
			return err
		}
		if err := s.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	switch err := s.RecvMsg(new(wrapperspb.StringValue)); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return fmt.Errorf("%s: the stream does not end", path)
	default:
		return err
	}
}
