package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

func newWeb(o order) client {
	c := &http.Client{Transport: transport(o)}
	return func(ctx context.Context, o order, number int) error {
		request, err := o.request(ctx, number)
		if err != nil {
			return err
		}
		version, err := web.Do(c, request)
		if err == nil && (version == 1) != (o.Protocol == "http1") {
			err = fmt.Errorf("answered over HTTP/%d", version)
		}
		return err
	}
}

func transport(o order) http.RoundTripper {
	if o.Protocol == "net2" {
		//nolint:staticcheck // deprecated, but all releases have it
		t := &http2.Transport{TLSClientConfig: web.Trusting(), AllowHTTP: true}
		if !o.TLS {
			//nolint:staticcheck // as above
			t.DialTLS = func(network, address string, _ *tls.Config) (net.Conn, error) {
				return net.Dial(network, address)
			}
		}
		return t
	}
	t := &http.Transport{
		TLSClientConfig:       web.Trusting(),
		ForceAttemptHTTP2:     o.Protocol == "http2",
		DisableKeepAlives:     o.Close,
		MaxIdleConnsPerHost:   200,
		ExpectContinueTimeout: patience,
	}
	if o.dials() {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return o.dial(ctx)
		}
	}
	if o.Protocol == "http2" && !o.TLS {
		web.WithoutTLSOnly(t)
	}
	return t
}

// request makes the one of a number.
func (o order) request(ctx context.Context, number int) (*http.Request, error) {
	scheme, host, method := "http", o.Address, http.MethodGet
	if o.TLS {
		scheme = "https"
	}
	if o.Network == "unix" {
		host = "local"
	}
	url := scheme + "://" + host + o.path(number)
	if n := o.Path + number*o.Grow; o.Path > 0 {
		url += "?" + strings.ReplaceAll(o.bytes(number, n), "!", "&")
	}
	var body io.Reader
	if o.Body > 0 {
		method = http.MethodPost
		body = strings.NewReader(o.bytes(number, o.Body))
		if o.Chunked || o.Trailers {
			body = struct{ io.Reader }{body}
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if o.Path == 0 {
		for key, value := range o.headers(number) {
			request.Header.Set(key, value)
		}
	}
	if o.Continue {
		request.Header.Set("Expect", "100-continue")
	}
	if o.Trailers {
		request.Trailer = http.Header{"X-Trailer": {o.bytes(number, 40)}}
	}
	if o.Own != "" {
		request.Header.Set("traceparent", o.own(number))
	}
	return request, nil
}

func connect(o order) *grpc.ClientConn {
	if !o.dials() {
		return rpc.Connect(o.Address, rpc.Secrets(o.TLS))
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return o.dial(ctx) }
	return rpc.Connect("server", rpc.Secrets(o.TLS), grpc.WithContextDialer(dial))
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
			ctx = metadata.NewOutgoingContext(ctx,
				metadata.Pairs("x-other", "value", "traceparent", o.own(number)))
		case "appended":
			ctx = metadata.AppendToOutgoingContext(ctx, "x-other", "value", "traceparent",
				o.own(number))
		}
		messages := o.messages(number)
		if o.Protocol == "unary" {
			return rpc.Invoke(ctx, c, o.path(number), messages[0])
		}
		return rpc.Converse(ctx, c, o.path(number), messages, grpc.WaitForReady(o.id != ""))
	}
}
