package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// action does what there is to do for a request of an id.
type action func(ctx context.Context, id string) error

// id is what is behind the first part of a path.
func id(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return parts[len(parts)-1]
}

// answerUnary answers a call of a method that has the id in it.
func answerUnary(_ interface{}, s grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	if err := s.RecvMsg(message); err != nil {
		return err
	}
	method, _ := grpc.MethodFromServerStream(s)
	if err := get("https", "hop3")(s.Context(), id(method)); err != nil {
		return err
	}
	return s.SendMsg(message)
}

// answerMessages makes a call for each message of a stream.
func answerMessages(_ interface{}, s grpc.ServerStream) error {
	for {
		message := new(wrapperspb.StringValue)
		if err := s.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := get("http", "hop6")(s.Context(), message.GetValue()); err != nil {
			return err
		}
		if err := s.SendMsg(message); err != nil {
			return err
		}
	}
}

// connection is the one to the next service, or a new one.
func connection() (c *grpc.ClientConn, done func(), err error) {
	if *perRequest {
		c, err = dial()
		return c, func() { c.Close() }, err
	}
	kept.once.Do(func() { kept.c, kept.err = dial() })
	return kept.c, func() {}, kept.err
}

var kept struct {
	once sync.Once
	c    *grpc.ClientConn
	err  error
}

func dial() (*grpc.ClientConn, error) {
	return grpc.Dial(*next, grpc.WithInsecure()) //nolint:staticcheck // deprecated both, but all releases have them
}

func callUnary(ctx context.Context, id string) error {
	c, done, err := connection()
	if err != nil {
		return err
	}
	defer done()
	return c.Invoke(ctx, "/hop2/"+id, wrapperspb.String(id), new(wrapperspb.StringValue))
}

// messages is how many a stream has.
const messages = 2

func callStream(ctx context.Context, id string) error {
	c, done, err := connection()
	if err != nil {
		return err
	}
	defer done()
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/chain/"+id, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	for n := 0; n < messages; n++ {
		if err := s.SendMsg(wrapperspb.String(fmt.Sprint(id, "/", n))); err != nil {
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
		return errors.New("the stream does not end")
	default:
		return err
	}
}

var (
	startHTTP  sync.Once
	httpClient *http.Client
)

// get makes a request to the next service.
func get(scheme, path string) action {
	return func(ctx context.Context, id string) error {
		startHTTP.Do(func() {
			httpClient = &http.Client{Transport: &http.Transport{
				DisableKeepAlives: *perRequest, MaxIdleConnsPerHost: 200,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
			}}
		})
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://%s/%s/%s", scheme, *next, path, id), nil)
		if err != nil {
			return err
		}
		if *own {
			n, err := strconv.Atoi(id)
			if err != nil {
				return err
			}
			request.Header.Set("traceparent", fmt.Sprintf("00-0b%030d-0b%014d-01", n, n))
		}
		response, err := httpClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK || scheme == "https" && response.ProtoMajor != 2 {
			return fmt.Errorf("%s: %s %s", request.URL, response.Proto, response.Status)
		}
		return nil
	}
}

// job is what a worker is given.
type job struct {
	ctx  context.Context
	id   string
	do   action
	done chan error
}

const workers = 50

var jobs = make(chan job)

func startWorkers() {
	for i := 0; i < workers; i++ {
		go func() {
			for j := range jobs {
				j.done <- j.do(j.ctx, j.id)
			}
		}()
	}
}

// inPool has a worker do something.
func inPool(do action) action {
	return func(ctx context.Context, id string) error {
		j := job{ctx, id, do, make(chan error, 1)}
		select {
		case jobs <- j:
			return <-j.done
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
