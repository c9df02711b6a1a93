package nethttp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

var newest = target.Build{Source: source, Go: "1.27.4", Flags: []string{target.Stripped}}

func TestPipelinedRequestsGiveASpanEachInTheirOrder(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, newest))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	client, err := net.Dial("tcp", server.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const requests = 50
	var all strings.Builder
	for i := range requests {
		fmt.Fprintf(&all, "GET /hello/%d HTTP/1.1\r\nHost: shop.example\r\n\r\n", i)
	}
	if _, err := io.WriteString(client, all.String()); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(client)
	for range requests {
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
	}
	spans := tracer.Await(t, requests)
	if len(spans) != requests {
		t.Fatalf("%d spans of %d requests", len(spans), requests)
	}
	for i, span := range spans {
		if want := fmt.Sprintf("/hello/%d", i); span.Values()["url.path"] != want {
			t.Errorf("span %d is of %v, not of %s", i, span.Values()["url.path"], want)
		}
	}
}

func TestTLSIsSeenInTheScheme(t *testing.T) {
	server, client := serveTLS(t, newest)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	get(t, client, "https://"+server.Address+"/hello/tls")
	span := tracer.Await(t, 1)[0]
	for key, want := range map[string]any{
		"url.scheme": "https", "network.protocol.version": "1.1",
		"url.path": "/hello/tls", "server.address": "127.0.0.1",
	} {
		if span.Values()[key] != want {
			t.Errorf("%s is %v, not %v", key, span.Values()[key], want)
		}
	}
}

// get makes a request, and says over which protocol it was answered.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.Proto
}

// serveTLS starts a server with a certificate of its own, and a client that
// trusts it.
func serveTLS(t *testing.T, build target.Build, args ...string) (*target.Server, *http.Client) {
	t.Helper()
	server := target.Start(t, target.MustCompile(t, build), append(args, "-tls")...)
	transport := &http.Transport{TLSClientConfig: web.Trusting()}
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport, Timeout: 10 * time.Second}
}
