package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/gate"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

// Both are used atomically.
var (
	served   int64
	returned int64 // the status that the last handler returned
)

// end ends a call as its metadata says.
func end(ctx context.Context) error {
	atomic.AddInt64(&served, 1)
	err := obey(ctx)
	atomic.StoreInt64(&returned, int64(status.Code(err)))
	return err
}

// obey does what the words of a call's metadata "ending" say, one after the other:
//
//	code=5      with that status
//	error       with an error that has none
//	sleep       when its context does, with the status of that
//	block       goes on when it is released
//	panic       does so
//	flaky=2     with UNAVAILABLE, unless the client has tried that often before
//	gather=100  goes on when so many calls are here at once
//	forward     calls the same method of the server that the metadata "to" names,
//	            with what is left of the metadata's words, and ends as that does
func obey(ctx context.Context) error {
	words := strings.Fields(value(ctx, "ending"))
	for i, word := range words {
		parts := strings.SplitN(word+"=0", "=", 3)
		n, err := strconv.Atoi(parts[1])
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		switch parts[0] {
		case "code":
			err = status.Error(codes.Code(n), "as asked")
		case "error":
			err = errors.New("as asked")
		case "sleep":
			<-ctx.Done()
			err = status.FromContextError(ctx.Err()).Err()
		case "block":
			<-released
		case "panic":
			panic("as asked")
		case "flaky":
			if before, _ := strconv.Atoi(value(ctx, "grpc-previous-rpc-attempts")); before < n {
				err = status.Error(codes.Unavailable, "as asked")
			}
		case "gather":
			gathered.Wait(n)
		case "forward":
			return forward(ctx, strings.Join(words[i+1:], " "))
		default:
			err = status.Errorf(codes.InvalidArgument, "no ending: %q", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var others rpc.Kept // connections to other servers

// forward makes the call that a handler has got to another server.
func forward(ctx context.Context, ending string) error {
	to := value(ctx, "to")
	c := others.Get(to, func() *grpc.ClientConn { return rpc.Connect(to, rpc.Secrets(false)) })
	method, ok := grpc.Method(ctx)
	if !ok {
		return status.Error(codes.Internal, "the call has no method")
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "ending", ending)
	return rpc.Invoke(ctx, c, method, "a message")
}

// value is the first of a key of a call's metadata, or "".
func value(ctx context.Context, key string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if len(md[key]) == 0 {
		return ""
	}
	return md[key][0]
}

var (
	gathered    gate.Gate
	released    = make(chan struct{})
	releaseOnce sync.Once
)

func recoverUnary(
	ctx context.Context, message interface{}, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (answer interface{}, err error) {
	defer recovered(&err)
	return handle(ctx, message)
}

func recoverStream(
	service interface{}, stream grpc.ServerStream, _ *grpc.StreamServerInfo,
	handle grpc.StreamHandler,
) (err error) {
	defer recovered(&err)
	return handle(service, stream)
}

func recovered(err *error) {
	if reason := recover(); reason != nil {
		*err = status.Errorf(codes.Internal, "recovered: %v", reason)
	}
}
