package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func connect(o order) *grpc.ClientConn {
	secrets := grpc.WithInsecure() //nolint:staticcheck // deprecated, but all releases have it
	if o.TLS {
		secrets = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	c, err := grpc.Dial("passthrough:///"+o.Address, secrets) //nolint:staticcheck // as above
	if err != nil {
		panic(err)
	}
	return c
}

func newRPC(o order) client {
	var kept *grpc.ClientConn
	if !o.Close {
		kept = connect(o)
	}
	return func(ctx context.Context, o order, number int) error {
		c := kept
		if c == nil {
			c = connect(o)
			defer c.Close()
		}
		if all := o.headers(number); len(all) > 0 {
			ctx = metadata.NewOutgoingContext(ctx, metadata.New(all))
		}
		switch o.Own {
		case "set":
			ctx = metadata.NewOutgoingContext(ctx, metadata.Pairs("x-other", "value", "traceparent", o.own(number)))
		case "appended":
			ctx = metadata.AppendToOutgoingContext(ctx, "x-other", "value", "traceparent", o.own(number))
		}
		if o.Protocol == "unary" {
			answer := new(wrapperspb.StringValue)
			message := o.bytes(number, o.Body)
			if err := c.Invoke(ctx, o.path(number), wrapperspb.String(message), answer); err != nil {
				return err
			}
			if answer.Value != message {
				return fmt.Errorf("answered %q", answer.Value)
			}
			return nil
		}
		return converse(ctx, c, o, number)
	}
}

func converse(ctx context.Context, c *grpc.ClientConn, o order, number int) error {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, o.path(number))
	if err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		message, answer := o.bytes(number, o.Body+i), new(wrapperspb.StringValue)
		if err := s.SendMsg(wrapperspb.String(message)); err != nil {
			return err
		}
		if err := s.RecvMsg(answer); err != nil {
			return err
		}
		if answer.Value != message {
			return fmt.Errorf("answered %q", answer.Value)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); err != io.EOF { //nolint:errorlint // grpc.ClientStream returns it as it is
		return fmt.Errorf("the stream ends with %v", err) //nolint:errorlint // it may be nil
	}
	return nil
}
