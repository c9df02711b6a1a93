// Command httpcaller makes HTTP requests on demand: it reads one order a line, and
// answers with what came of each request. It knows nothing of tracing.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
)

// order is what to ask for.
type order struct {
	Method  string
	URL     string
	Opaque  string // in place of the URL's path
	Host    string // in place of the URL's host
	Way     string // whose Transport makes the requests: see newTransport
	Timeout int    // milliseconds; 0: none
	Cancel  int    // milliseconds after which the request is cancelled; 0: never
	Trust   bool   // any certificate
	HTTP2   bool   // where the server can
	Socket  string // path of a unix socket to connect to
	Many    int    // send so many, each with its number behind the URL, all at a time
	Over    int    // by so many Transports, which have a part of them each; 0: one
	Panic   bool   // panic within RoundTrip, and recover
	Apart   bool   // do that in a goroutine of its own, which ends then
}

// outcome is what came of a request, in the order of their numbers.
type outcome struct {
	Start, End int64  // when RoundTrip was called, and returned: nanoseconds since 1970
	Status     int    // 0: it failed
	Error      string // the type of the error that RoundTrip returned
	Local      string // this end of the connection; "": none was found
}

// recorder notes what a transport returns.
type recorder struct {
	http.RoundTripper
	outcomes []outcome
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	var o outcome
	watch := &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { o.Local = got.Conn.LocalAddr().String() },
	}
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), watch))
	o.Start = time.Now().UnixNano()
	response, err := r.RoundTripper.RoundTrip(request)
	o.End = time.Now().UnixNano()
	if err != nil {
		o.Error = fmt.Sprintf("%T", err)
	} else {
		o.Status = response.StatusCode
	}
	r.outcomes = append(r.outcomes, o)
	return response, err
}

func main() {
	lines.Serve("ready", func(line string) interface{} {
		var o order
		lines.Parse(line, &o)
		return do(o)
	})
}

var transports = map[string]http.RoundTripper{}

// transport is the Transport of a number for orders of this kind.
func (o order) transport(number int) http.RoundTripper {
	key := fmt.Sprint(o.Way, o.withoutTLS(), o.Trust, o.HTTP2, o.Socket, number)
	if transports[key] == nil {
		transports[key] = newTransport(o)
	}
	return transports[key]
}

func (o order) withoutTLS() bool { return strings.HasPrefix(o.URL, "http:") }

// These are there if the program was built with golang.org/x/net: -tags=net.
var (
	transportOfNet  func(withoutTLS bool, config *tls.Config) http.RoundTripper
	configureForNet func(*http.Transport) error
)

// newTransport makes a Transport of net/http's, or another.
func newTransport(o order) http.RoundTripper {
	t := &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: o.Trust},
		ForceAttemptHTTP2:   o.HTTP2,
		MaxIdleConnsPerHost: 100,
	}
	if o.Socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.Socket)
		}
	}
	switch o.Way {
	case "net": // that of golang.org/x/net/http2, by itself
		return transportOfNet(o.withoutTLS(), t.TLSClientConfig)
	case "below": // that, below net/http's
		if err := configureForNet(t); err != nil {
			panic(err)
		}
	}
	return t
}

func do(o order) []outcome {
	if o.Panic {
		panics := func(int) error { return panicked(o.transport(0).(*http.Transport)) }
		var err error
		if o.Apart {
			err = pool.Each(1, panics)
		} else {
			err = panics(0)
		}
		if err != nil {
			panic(err)
		}
	}
	if o.Many == 0 {
		return send(o.transport(0), o, o.URL)
	}
	if o.Over == 0 {
		o.Over = 1
	}
	by := make([]http.RoundTripper, o.Many)
	for i := range by {
		by[i] = o.transport(i * o.Over / o.Many)
	}
	made := make([][]outcome, o.Many)
	_ = pool.Each(o.Many, func(i int) error {
		made[i] = send(by[i], o, fmt.Sprint(o.URL, i))
		return nil
	})
	var outcomes []outcome
	for _, m := range made {
		outcomes = append(outcomes, m...)
	}
	return outcomes
}

func send(transport http.RoundTripper, o order, url string) []outcome {
	r := &recorder{RoundTripper: transport}
	client := &http.Client{Transport: r, Timeout: time.Duration(o.Timeout) * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if o.Cancel > 0 {
		time.AfterFunc(time.Duration(o.Cancel)*time.Millisecond, cancel)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	request.Method, request.URL.Opaque = o.Method, o.Opaque
	if o.Host != "" {
		request.URL.Host, request.Host = o.Host, "local"
	}
	response, err := client.Do(request)
	if err != nil {
		return r.outcomes
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		panic(err)
	}
	return r.outcomes
}

// panicked has a RoundTrip that never returns.
func panicked(transport *http.Transport) error {
	defer func() { _ = recover() }()
	ctx := panicking{context.Background()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1/panic", nil)
	if err == nil {
		_, _ = transport.RoundTrip(request) //nolint:bodyclose // there is no response
	}
	return errors.New("there was no panic")
}

// panicking is a context of a kind that nobody should write.
type panicking struct{ context.Context }

func (panicking) Value(interface{}) interface{} { panic("no values") }
