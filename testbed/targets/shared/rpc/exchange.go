package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// Secrets are how a client connects: with TLS, when it trusts any certificate, or without.
func Secrets(secure bool) grpc.DialOption {
	if secure {
		return grpc.WithTransportCredentials(credentials.NewTLS(web.Trusting()))
	}
	return grpc.WithInsecure() //nolint:staticcheck // deprecated, but all releases have it
}

// Connect is a connection to an address, which gRPC establishes when it wants to.
func Connect(address string, options ...grpc.DialOption) *grpc.ClientConn {
	//nolint:staticcheck // deprecated, but all releases have it
	c, err := grpc.Dial("passthrough:///"+address, options...)
	if err != nil {
		panic(err)
	}
	return c
}

// Invoke makes a unary call, and expects the answer to be the message.
func Invoke(
	ctx context.Context, c *grpc.ClientConn, method, message string, options ...grpc.CallOption,
) error {
	answer := new(wrapperspb.StringValue)
	err := c.Invoke(ctx, method, wrapperspb.String(message), answer, options...)
	if err == nil && answer.Value != message {
		err = fmt.Errorf("%s: answered %q", method, answer.Value)
	}
	return err
}

// Converse makes a call of several messages, of which each waits for the answer to the last one,
// which is to be the same.
func Converse(ctx context.Context, c *grpc.ClientConn, method string, messages []string,
	options ...grpc.CallOption,
) error {
	stream, err := c.NewStream(ctx, bidi, method, options...)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(wrapperspb.String(messages[0])); err != nil {
		return err
	}
	answered := 0
	err = receive(stream, func(answer *wrapperspb.StringValue) error {
		if answered == len(messages) || answer.Value != messages[answered] {
			return fmt.Errorf("%s: answered %q", method, answer.Value)
		}
		if answered++; answered == len(messages) {
			return stream.CloseSend()
		}
		return stream.SendMsg(wrapperspb.String(messages[answered]))
	})
	if err == nil && answered < len(messages) {
		err = fmt.Errorf("%s: answered %d messages of %d", method, answered, len(messages))
	}
	return err
}

var bidi = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// Exchange makes a call of a kind, sends all messages, and reads all answers.
func Exchange(ctx context.Context, c *grpc.ClientConn, kind *grpc.StreamDesc, method string,
	options ...grpc.CallOption,
) error {
	stream, err := c.NewStream(ctx, kind, method, options...)
	if err != nil {
		return err
	}
	for i := 0; i < Messages && (i == 0 || kind.ClientStreams); i++ {
		if err := stream.SendMsg(wrapperspb.String("a message")); errors.Is(err, io.EOF) {
			break // the call has ended, and what is received says how
		} else if err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return receive(stream, func(*wrapperspb.StringValue) error {
		if kind.ServerStreams {
			return nil
		}
		return io.EOF // RecvMsg has waited for the end
	})
}

// Kept are connections that stay open, by what they are for. The zero value is empty.
type Kept struct {
	mu    sync.Mutex
	known map[string]*grpc.ClientConn
}

// Get returns the connection that is for something, which it makes the first time.
func (k *Kept) Get(what string, connect func() *grpc.ClientConn) *grpc.ClientConn {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = map[string]*grpc.ClientConn{}
	}
	if k.known[what] == nil {
		k.known[what] = connect()
	}
	return k.known[what]
}
