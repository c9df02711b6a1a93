package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

// do follows an order. That no connection can be made of it is the test's mistake.
func do(o order) []outcome {
	if o.Many.Goroutines > 0 {
		return many(o)
	}
	c := connection(o)
	if o.Close > 0 {
		defer time.AfterFunc(time.Duration(o.Close)*time.Millisecond, func() { c.Close() }).Stop()
	} else if o.Close < 0 {
		c.Close()
	}
	return []outcome{call(c, o)}
}

// many makes so many calls at once.
func many(o order) []outcome {
	open := make([]*grpc.ClientConn, o.Many.Connections)
	for i := range open {
		open[i] = connect(o)
		defer open[i].Close()
	}
	outcomes := make([]outcome, o.Many.Goroutines*o.Many.Calls)
	_ = pool.Each(o.Many.Goroutines, func(g int) error {
		for i := g * o.Many.Calls; i < (g+1)*o.Many.Calls; i++ {
			numbered := o
			numbered.Method = fmt.Sprint(o.Method, i)
			ending := fmt.Sprintf("%s code=%d", o.Metadata["ending"], i%17)
			numbered.Metadata = map[string]string{"ending": ending}
			outcomes[i] = call(open[g%len(open)], numbered)
		}
		return nil
	})
	return outcomes
}

// call makes one call.
func call(c *grpc.ClientConn, o order) outcome {
	seen := make(chan int, 100)
	ctx := context.WithValue(context.Background(), endsKey{}, seen)
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(o.Metadata))
	ctx = addParent(context.WithValue(ctx, parentKey{}, o.Parent), "program")
	cancel := func() {}
	if o.Leave != "open" {
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	if o.Timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, time.Duration(o.Timeout)*time.Millisecond)
		defer stop()
	}
	if o.Cancel > 0 {
		defer time.AfterFunc(time.Duration(o.Cancel)*time.Millisecond, cancel).Stop()
	}
	options := []grpc.CallOption{grpc.WaitForReady(o.Wait)}
	if o.MaxSend > 0 {
		options = append(options, grpc.MaxCallSendMsgSize(o.MaxSend))
	}
	result := outcome{Method: o.Method, Start: time.Now().UnixNano()}
	var p peer.Peer
	var err error
	switch {
	case o.Kind == "unary":
		options = append(options, grpc.Peer(&p))
		err = rpc.Invoke(ctx, c, o.Method, "a message", options...)
	case o.Leave == "":
		options = append(options, grpc.Peer(&p))
		err = rpc.Exchange(ctx, c, kindOf(o), o.Method, options...)
	default:
		p, err = leave(ctx, c, o, options)
		if err == nil && o.Leave == "cancelled" {
			cancel()
			err = status.FromContextError(ctx.Err()).Err()
		}
	}
	result.End = time.Now().UnixNano()
	if err != nil {
		result.Error = err.Error()
	}
	result.Code = int(status.Code(err))
	for len(seen) > 0 {
		result.Ended = append(result.Ended, <-seen)
	}
	if p.Addr != nil {
		result.Network, result.Peer = p.Addr.Network(), p.Addr.String()
	}
	return result
}

// kindOf says which sides send more than one message.
func kindOf(o order) *grpc.StreamDesc {
	return &grpc.StreamDesc{ServerStreams: o.Kind != "client", ClientStreams: o.Kind != "server"}
}

// leave begins a call, and says over which connection it goes: gRPC does so when a
// call ends, which nobody waits for here.
func leave(
	ctx context.Context, c *grpc.ClientConn, o order, options []grpc.CallOption,
) (peer.Peer, error) {
	kind := kindOf(o)
	stream, err := c.NewStream(ctx, kind, o.Method, options...)
	if err == nil {
		err = stream.SendMsg(wrapperspb.String("a message"))
	}
	if err == nil && !kind.ClientStreams {
		err = stream.CloseSend()
	}
	if err == nil && kind.ServerStreams {
		err = stream.RecvMsg(new(wrapperspb.StringValue))
	}
	if err != nil {
		return peer.Peer{}, err
	}
	p, ok := peer.FromContext(stream.Context())
	if !ok {
		return peer.Peer{}, errors.New("there is no peer")
	}
	return *p, nil
}
