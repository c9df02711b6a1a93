package grpc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// A call begins when a handler is looked for: what a server of gRPC's own
// transport refuses before that is none.
func TestWhatTheTransportRefusesHasNoSpan(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, tracer := served(t, build)
			for _, changes := range []map[string]string{
				{"content-type": "text/plain"},
				{"grpc-timeout": "soon"},
				{"X-Name": "of a form that HTTP/2 forbids"},
			} {
				sendHeaders(t, server.Address, changes)
			}
			askOverHTTP1(t, server.Address)
			_, err := overTCP(t, server.Address).call(context.Background(), "unary",
				"/testbed.Calls/Unary", 0, nil)
			mustEnd(t, "a call", err, codes.OK)
			if got := inOrder(t, tracer, 1)[0].Name(); got != "testbed.Calls/Unary" ||
				server.Served(t) != 1 {
				t.Errorf("a span of %s, and %d calls that reached a handler", got, server.Served(t))
			}
			lostNothing(t, tracer, 1)
		})
	}
}

// A client that keeps no deadline leaves that to the server. From gRPC 1.75 on
// that also resets the stream, and the handler sees what comes first.
func TestADeadlineThatOnlyTheServerKeepsEndsACall(t *testing.T) {
	for _, build := range builds(serverSource) {
		t.Run(build.String(), func(t *testing.T) {
			server, tracer := served(t, build)
			when := window{from: time.Now()}
			r := &remote{local: sendHeaders(t, server.Address, map[string]string{
				":path": "/testbed.Calls/ClientStream", "ending": "sleep",
				"grpc-timeout": fmt.Sprintf("%dm", while),
			})}
			got := inOrder(t, tracer, 1)[0]
			when.to = time.Now()
			e := exchange{
				name: "a call with a deadline", kind: "client",
				method: "/testbed.Calls/ClientStream", code: returned(t, server),
				changes: map[string]any{"user_agent.original": nil},
			}
			if e.code != codes.DeadlineExceeded && e.code != codes.Canceled {
				t.Fatalf("the handler returned %s", e.code)
			}
			compare(t, e.String(), e.wanted(r), when, got)
			lostNothing(t, tracer, 1)
		})
	}
}

// sendHeaders sends the headers of a call that has no messages, waits for an
// answer, and returns where it came from.
func sendHeaders(t *testing.T, address string, changes map[string]string) net.Addr {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(tracing.Patience)); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{
		":method": "POST", ":scheme": "http", ":authority": authority,
		":path":        "/testbed.Calls/Unary",
		"content-type": "application/grpc", "te": "trailers",
	}
	for name, value := range changes {
		fields[name] = value
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, pseudo := range []bool{true, false} { // those with a colon come first
		for name, value := range fields {
			if name[0] == ':' == pseudo {
				if err := encoder.WriteField(hpack.HeaderField{
					Name:  name,
					Value: value,
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := io.WriteString(connection, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(connection, connection)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(),
		EndHeaders: true,
	}); err != nil {
		t.Fatal(err)
	}
	// Old servers do not see the end of a stream that ends with its headers.
	if err := framer.WriteData(1, true, nil); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("%v: %v", changes, err)
		}
		if frame.Header().StreamID == 1 {
			return connection.LocalAddr()
		}
	}
}

// askOverHTTP1 makes a request that the server does not understand.
func askOverHTTP1(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   tracing.Patience,
	}
	response, err := client.Get("http://" + address + "/testbed.Calls/Unary")
	if err == nil {
		response.Body.Close()
		t.Fatalf("it answered %s", response.Status)
	}
}
