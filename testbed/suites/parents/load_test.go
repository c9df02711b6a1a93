package parents

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

const (
	connections = 4 // of HTTP/1, which many requests share
	atATime     = 12
)

// client sends requests over a side, with a header that says whose trace they belong to, or none.
type client interface {
	send(path, traceparent string) error
}

// newClients makes one for each side. They are in the test's process, which is not traced.
func newClients(t *testing.T, addresses string) map[string]client {
	t.Helper()
	var plain, secure, calls string
	if _, err := fmt.Sscan(addresses, &plain, &secure, &calls); err != nil {
		t.Fatal(err)
	}
	return map[string]client{
		"http1":  newWeb(t, "http://"+plain, connections),
		"http2":  newWeb(t, "https://"+secure, connections),
		"unary":  newRPC(t, calls, unary),
		"stream": newRPC(t, calls, stream),
		// Requests over it come after each other, over one connection.
		"http1 behind": newWeb(t, "http://"+plain, 1),
	}
}

// web is a client of HTTP.
type web struct {
	*http.Client
	url string
}

func newWeb(t *testing.T, url string, connections int) web {
	transport := &http.Transport{
		MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return web{&http.Client{Transport: transport, Timeout: tracing.Patience}, url}
}

func (w web) send(path, traceparent string) error {
	request, err := http.NewRequest(http.MethodGet, w.url+path, nil)
	if err != nil {
		return err
	}
	if traceparent != "" {
		request.Header.Set("traceparent", traceparent)
	}
	response, err := w.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, response.Status, text)
	}
	return err
}

// rpc is a client of gRPC.
type rpc struct {
	*grpc.ClientConn
	call func(ctx context.Context, c *grpc.ClientConn, path string, authority grpc.CallOption) error
}

func newRPC(t *testing.T, address string, call func(context.Context, *grpc.ClientConn, string,
	grpc.CallOption) error,
) rpc {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return rpc{c, call}
}

func (r rpc) send(path, traceparent string) error {
	ctx, cancel := context.WithTimeout(context.Background(), tracing.Patience)
	defer cancel()
	if traceparent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", traceparent)
	}
	return r.call(ctx, r.ClientConn, path, grpc.CallAuthority(strings.ReplaceAll(path[1:], "/",
		".")))
}

func unary(ctx context.Context, c *grpc.ClientConn, path string, authority grpc.CallOption) error {
	return c.Invoke(ctx, "/testbed.Parents/Unary", wrapperspb.String(path),
		new(wrapperspb.StringValue), authority)
}

func stream(ctx context.Context, c *grpc.ClientConn, path string, authority grpc.CallOption) error {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/testbed.Parents/BidiStream", authority)
	if err != nil {
		return err
	}
	for range messages {
		if err := s.SendMsg(wrapperspb.String(path)); err != nil {
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

// load sends the requests of all ways in no order, several at a time.
func (p *program) load(t *testing.T, side, via string, all []way) {
	t.Helper()
	p.loadWith(t, side, via, all, func(string) string { return "" })
}

// loadWith is load with the header that each request has.
func (p *program) loadWith(
	t *testing.T, side, via string, all []way, traceparent func(path string) string,
) {
	t.Helper()
	var paths []string
	for _, w := range all {
		for i := range w.count() {
			paths = append(paths, path(side, via, w.name, fmt.Sprint(i)))
		}
	}
	rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	next := make(chan string, len(paths))
	for _, path := range paths {
		next <- path
	}
	close(next)
	var wg sync.WaitGroup
	for range atATime {
		wg.Go(func() {
			for path := range next {
				if err := p.clients[side].send(path, traceparent(path)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// leaveBehind sends requests that leave a goroutine behind, each followed by one that releases it
// over the same connection.
func (p *program) leaveBehind(t *testing.T, side, via string, w way) {
	t.Helper()
	c, ok := p.clients[side+" behind"]
	if !ok {
		c = p.clients[side] // all go over one connection
	}
	for i := range w.count() {
		for _, name := range []string{w.name, w.releasing().name} {
			if err := c.send(path(side, via, name, fmt.Sprint(i)), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// startCalled starts the servers that the program calls, and returns the URL of the one and the
// address of the other.
func startCalled(t *testing.T) (url, address string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "-body/") {
			_, _ = io.WriteString(w, "an answer") // the caller would see it missing
		}
	}))
	t.Cleanup(web.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		message := new(wrapperspb.StringValue)
		if err := s.RecvMsg(message); err != nil {
			return err
		}
		return s.SendMsg(message)
	}))
	go func() { _ = calls.Serve(listener) }() // until it is stopped
	t.Cleanup(calls.Stop)
	return web.URL, listener.Addr().String()
}
