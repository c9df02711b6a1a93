package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// answerTimeout is how long an answer may take before the call has failed.
const answerTimeout = 10 * time.Second

// order is a load, one JSON object a line.
type order struct {
	Kind     string        // "http", "unary", "stream" or "goroutines"
	Rate     float64       // a second; 0: each as soon as the last one was answered
	Duration time.Duration // nanoseconds; or
	Calls    int           // how many, if not 0
	// Goroutines are how many are started for each "call" of goroutines.
	Goroutines int
}

// follow follows the orders on standard input, and answers each with what came of
// it: a result, in JSON.
func follow(i instrumentation) error {
	transport := &http.Transport{MaxIdleConnsPerHost: *connections}
	client := &http.Client{Transport: i.transport(transport)}
	conn, err := grpc.NewClient(*rpc, append(i.dial,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())...)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		calls := map[string]func(context.Context) error{
			"http":   func(ctx context.Context) error { return get(ctx, client, *web) },
			"unary":  func(ctx context.Context) error { return greetOnce(ctx, conn) },
			"stream": func(ctx context.Context) error { return greetOften(ctx, conn) },
			// This is no call, but calls are made in it.
			"goroutines": func(context.Context) error { startGoroutines(o.Goroutines); return nil },
		}
		if calls[o.Kind] == nil {
			return fmt.Errorf("no kind of call: %q", o.Kind)
		}
		if err := answers.Encode(load(o, calls[o.Kind])); err != nil {
			return err
		}
	}
	return nil
}

// startGoroutines starts so many, which do nothing.
func startGoroutines(number int) {
	var wg sync.WaitGroup
	for range number {
		wg.Go(func() {})
	}
	wg.Wait()
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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

func greetOnce(ctx context.Context, conn *grpc.ClientConn) error {
	return conn.Invoke(ctx, unaryMethod, wrapperspb.String("gopher"), new(wrapperspb.StringValue))
}

func greetOften(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, streamMethod)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(wrapperspb.String("gopher")); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		err := stream.RecvMsg(new(wrapperspb.StringValue))
		if errors.Is(err, io.EOF) && n == answers {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d messages: %w", n, err)
		}
	}
}
