package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var kept rpc.Kept

// connection is the one to the next service, or a new one.
func connection() (c *grpc.ClientConn, done func()) {
	connect := func() *grpc.ClientConn { return rpc.Connect(*next, rpc.Secrets(false)) }
	if *perRequest {
		c = connect()
		return c, func() { c.Close() }
	}
	return kept.Get(*next, connect), func() {}
}

func callUnary(ctx context.Context, id string) error {
	c, done := connection()
	defer done()
	return rpc.Invoke(ctx, c, "/hop2/"+id, id)
}

func callStream(ctx context.Context, id string) error {
	c, done := connection()
	defer done()
	return rpc.Converse(ctx, c, "/chain/"+id, []string{id + "/0", id + "/1"},
		grpc.WaitForReady(true))
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
				TLSClientConfig: web.Trusting(), ForceAttemptHTTP2: true,
			}}
		})
		header := http.Header{}
		if *own {
			n, err := strconv.Atoi(id)
			if err != nil {
				return err
			}
			header.Set("traceparent", fmt.Sprintf("00-0b%030d-0b%014d-01", n, n))
		}
		url := fmt.Sprintf("%s://%s/%s/%s", scheme, *next, path, id)
		version, err := web.Get(ctx, httpClient, url, header)
		if err == nil && scheme == "https" && version != 2 {
			err = fmt.Errorf("%s: answered over HTTP/%d", url, version)
		}
		return err
	}
}
