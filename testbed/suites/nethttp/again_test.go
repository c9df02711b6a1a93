package nethttp

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// unreliable is a server that leaves the second request that ever comes without an answer,
// in a way that has a Transport send it again.
type unreliable struct {
	listener net.Listener

	mu   sync.Mutex
	done bool
	open []net.Conn
	came []string // where each request came from
}

// startUnreliable starts one that serves each connection with a function.
func startUnreliable(
	t *testing.T, listener net.Listener, serve func(net.Conn, *unreliable) error,
) *unreliable {
	t.Helper()
	u := &unreliable{listener: listener}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			u.keep(connection)
			all.Go(func() {
				defer connection.Close()
				if err := serve(connection, u); err != nil {
					t.Errorf("the server: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		u.close()
		all.Wait()
	})
	return u
}

// keep notes a connection, which is closed when all are.
func (u *unreliable) keep(connection net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		connection.Close()
	}
	u.open = append(u.open, connection)
}

func (u *unreliable) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = true
	for _, connection := range u.open {
		connection.Close()
	}
}

// leaves notes a request, and tells whether it is the one that is left.
func (u *unreliable) leaves(connection net.Conn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.came = append(u.came, connection.RemoteAddr().String())
	return len(u.came) == 2
}

func (u *unreliable) requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.came
}

// closeAsItComes closes the connection when it has read the request.
func closeAsItComes(connection net.Conn, u *unreliable) error {
	requests := bufio.NewReader(connection)
	for {
		request, err := http.ReadRequest(requests)
		if err != nil {
			return nil //nolint:nilerr // the connection's end
		}
		request.Body.Close()
		if u.leaves(connection) {
			return nil
		}
		if _, err := io.WriteString(connection,
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return err
		}
	}
}

// refuseTheStream resets it with REFUSED_STREAM: RFC 9113, section 8.7.
func refuseTheStream(connection net.Conn, u *unreliable) error {
	if _, err := io.ReadFull(connection, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	framer := http2.NewFramer(connection, connection)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	var block bytes.Buffer
	if err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{
		Name:  ":status",
		Value: "200",
	}); err != nil {
		return err
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return nil //nolint:nilerr // the connection's end
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if u.leaves(connection) {
				err = framer.WriteRSTStream(f.StreamID, http2.ErrCodeRefusedStream)
			} else {
				err = framer.WriteHeaders(http2.HeadersFrameParam{
					StreamID:      f.StreamID,
					BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true,
				})
			}
		}
		if err != nil {
			return err
		}
	}
}

// docs/spans.md: a retry of the Transport has no span of its own.
func TestARequestThatATransportSendsAgainIsOneSpan(t *testing.T) {
	for _, build := range callers() {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, build))
			tracer := trace(t, caller)
			u := startUnreliable(t, listen(t), closeAsItComes)
			came := compareAgain(t, tracer, caller, order{URL: "http://"}, "1.1", u)
			if came[0] != came[1] || came[1] == came[2] {
				t.Errorf("the requests came over %s", came)
			}
			u = startUnreliable(t, listenTLS(t), refuseTheStream)
			compareAgain(t, tracer, caller, order{URL: "https://", Trust: true, HTTP2: true}, "2",
				u)
		})
	}
	for _, build := range buildsWithNet(callerSource) {
		t.Run(build.String(), func(t *testing.T) {
			caller := target.Start(t, target.MustCompile(t, tagged(build, "net")))
			u := startUnreliable(t, listen(t), refuseTheStream)
			compareAgain(t, trace(t, caller), caller, order{URL: "http://", Way: "net"}, "2", u)
		})
	}
}

// compareAgain has a caller make two requests, of which the server leaves the second, and
// returns where those came from that the server saw.
func compareAgain(t *testing.T, tracer *tracing.Tracer, caller *target.Server, o order,
	version string, u *unreliable,
) []string {
	t.Helper()
	seen := len(tracer.Spans())
	base := o.URL + u.listener.Addr().String()
	urls := []string{base + "/first", base + "/again"}
	var outcomes []outcome
	for _, url := range urls {
		o.URL = url
		outcomes = append(outcomes, place(t, caller, o)...)
	}
	came := u.requests()
	if len(came) != 3 || len(outcomes) != 2 || outcomes[1].Local != came[2] {
		t.Fatalf("the server saw requests from %s, and the caller %+v", came, outcomes)
	}
	spans := tracer.Await(t, seen+2)[seen:]
	if len(spans) != 2 {
		t.Fatalf("%d spans of two requests", len(spans))
	}
	for i, s := range spans {
		compareCall(t, urls[i], requested(t, urls[i],
			map[string]any{"network.protocol.version": version}), outcomes[i], s)
	}
	if stats := tracer.MustStats(t); stats.Operations != uint64(seen+2) || stats.Active != 0 ||
		tracing.Lost(stats) != 0 {
		t.Errorf("no loss of two requests expected: %+v", stats)
	}
	return came
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func listenTLS(t *testing.T) net.Listener {
	t.Helper()
	return tls.NewListener(listen(t), web.Secure(http2.NextProtoTLS))
}
