package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// request is what is being answered.
type request struct {
	path    string
	via     string // how its calls are made
	message int    // of a stream
}

// name is what a call of the request's is called.
func (r request) name(n int) string { return fmt.Sprintf("%s/%d/%d", r.path, r.message, n) }

// call makes the nth call of the request.
func (r request) call(ctx context.Context, n int) error { return call(ctx, r.via, r.name(n)) }

// Calls are made with these.
var (
	httpURL    string
	httpClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	grpcClient *grpc.ClientConn
)

// call makes a call of a name.
func call(ctx context.Context, via, name string) error {
	if via == "grpc" {
		return rpc.Invoke(ctx, grpcClient, name, "a message")
	}
	return get(ctx, httpClient, name)
}

func get(ctx context.Context, client *http.Client, name string) error {
	_, err := web.Get(ctx, client, httpURL+name)
	return err
}

// proxy passes requests on, with their headers, as calls of theirs.
func proxy() http.Handler {
	called, err := url.Parse(httpURL)
	if err != nil {
		panic(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(called)
			r.Out.URL.Path = request{path: r.In.URL.Path}.name(0)
		},
		Transport: httpClient.Transport,
	}
}
