package grpc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// remote is a client in the test, which knows what a server's spans must say.
type remote struct {
	*grpc.ClientConn

	mu    sync.Mutex
	local net.Addr // of the connection
}

const (
	authority = "shop.example:8080"
	userAgent = "test/1 grpc-go/" + grpc.Version
)

// connect makes a client of a server at an address, on a connection that the
// given dialer makes.
func connect(t *testing.T, network, address string, dialer *net.Dialer,
	secrets credentials.TransportCredentials,
) *remote {
	t.Helper()
	r := &remote{}
	c, err := grpc.NewClient("passthrough:///server",
		grpc.WithTransportCredentials(secrets), grpc.WithUserAgent("test/1"),
		grpc.WithAuthority(authority),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			made, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.local = made.LocalAddr()
			}
			return made, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r.ClientConn = c
	return r
}

// overTCP makes a client that uses no TLS.
func overTCP(t *testing.T, address string) *remote {
	t.Helper()
	return connect(t, "tcp", address, &net.Dialer{}, insecure.NewCredentials())
}

// trusting are credentials that trust any server.
func trusting() credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
}

// peer are the attributes of the client's end of the connection, as a server
// sees it.
func (r *remote) peer() map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch local := r.local.(type) {
	case *net.TCPAddr:
		return map[string]any{
			"client.address": local.IP.String(), "client.port": int64(local.Port),
			"network.peer.address": local.IP.String(), "network.peer.port": int64(local.Port),
		}
	case *net.UnixAddr:
		peer := map[string]any{"network.transport": "unix"}
		if strings.HasPrefix(local.Name, "/") {
			peer["network.peer.address"], peer["client.address"] = local.Name, local.Name
		}
		return peer
	}
	return nil
}

// message is what calls send, of so many bytes at least.
func message(bytes int) *wrapperspb.StringValue {
	return wrapperspb.String("a message" + strings.Repeat(".", bytes))
}

// call makes a call, and returns when it was made, and what came of it.
func (r *remote) call(ctx context.Context, kind, method string, bytes int, pairs []string,
	options ...grpc.CallOption,
) (window, error) {
	ctx, cancel := context.WithTimeout(ctx, tracing.Patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	when := window{from: time.Now()}
	var err error
	if kind == "unary" {
		err = r.Invoke(ctx, method, message(bytes), new(wrapperspb.StringValue), options...)
	} else {
		err = r.converse(ctx, kind, method, bytes, options)
	}
	when.to = time.Now()
	return when, err
}

func (r *remote) converse(
	ctx context.Context, kind, method string, bytes int, options []grpc.CallOption,
) error {
	stream, err := r.NewStream(ctx, &grpc.StreamDesc{
		ServerStreams: kind != "client",
		ClientStreams: kind != "server",
	}, method, options...)
	if err != nil {
		return err
	}
	for range 2 {
		if err := stream.SendMsg(message(bytes)); errors.Is(err, io.EOF) || kind == "server" {
			break
		} else if err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		switch err := stream.RecvMsg(new(wrapperspb.StringValue)); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil || kind == "client":
			return err
		}
	}
}

// mustEnd expects that a call ended with a code.
func mustEnd(t *testing.T, call string, err error, code codes.Code) {
	t.Helper()
	if got := status.Code(err); got != code {
		t.Fatalf("%s: it ended with %s, not %s: %v", call, got, code, err)
	}
}
