package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// answerTimeout is how long an answer may take before it counts as failed.
const answerTimeout = 10 * time.Second

// HTTP is what is asked for, over connections that stay open. Those that break are opened again.
type HTTP struct {
	URL         string // http://host:port/path
	Connections int    // at a time
	Streams     int    // at a time on a connection, of HTTP/2; 0: HTTP/1.1
}

// connection is one for requests, of one or several clients.
type connection interface {
	connect(ctx context.Context) error
	exchange() error // each answer is to be 200
	close()
}

// Run connects, and makes the requests of a load.
func (h HTTP) Run(ctx context.Context, o Options) (Result, error) {
	to, err := url.Parse(h.URL)
	switch {
	case err != nil:
		return Result{}, err
	case to.Scheme != "http":
		return Result{}, fmt.Errorf("%q: want http", h.URL)
	case h.Connections < 1:
		return Result{}, errors.New("a load needs at least one connection")
	}
	var clients []Client
	for range h.Connections {
		c := connection(&http1{url: to})
		if h.Streams > 0 {
			c = &http2{url: to}
		}
		defer c.close()
		// Before the clock starts, so that no request waits for it.
		if err := c.connect(ctx); err != nil {
			return Result{}, fmt.Errorf("connect to %s: %w", h.URL, err)
		}
		for range max(h.Streams, 1) {
			clients = append(clients, c.exchange)
		}
	}
	return Run(ctx, o, clients)
}

// http1 writes requests of HTTP/1.1, and reads the answers, over one connection. It does not use
// net/http's client, whose goroutines would take processors from the measured program on a small
// machine.
type http1 struct {
	url        *url.URL
	connection net.Conn // nil while there is none
	reader     *bufio.Reader
}

func (c *http1) connect(ctx context.Context) (err error) {
	c.connection, err = new(net.Dialer).DialContext(ctx, "tcp", c.url.Host)
	c.reader = bufio.NewReader(c.connection)
	return err
}

func (c *http1) close() {
	if c.connection != nil {
		_ = c.connection.Close() // nothing is left to be written
		c.connection = nil
	}
}

func (c *http1) exchange() error {
	if c.connection == nil {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		defer cancel()
		if err := c.connect(ctx); err != nil {
			return err
		}
	}
	last, err := c.roundTrip()
	if err != nil || last {
		c.close()
	}
	return err
}

// roundTrip tells whether the server ends the connection after the answer.
func (c *http1) roundTrip() (last bool, err error) {
	if err := c.connection.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return false, err
	}
	const request = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: spanprobe-load\r\n\r\n"
	_, err = fmt.Fprintf(c.connection, request, c.url.RequestURI(), c.url.Host)
	if err != nil {
		return false, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return false, err
	}
	return answer.Close, read(answer)
}

// read reads an answer to its end.
func read(answer *http.Response) error {
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// http2 is a connection that clients share: each has a stream at a time. It speaks HTTP/2 from the
// first byte on ("prior knowledge", RFC 9113, section 3.3).
type http2 struct {
	url *url.URL

	mu         sync.Mutex
	connection *http.ClientConn // nil at first
}

func (c *http2) connect(ctx context.Context) error {
	_, err := c.get(ctx)
	return err
}

// get returns a connection that works, a new one if need be.
func (c *http2) get(ctx context.Context) (*http.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != nil && c.connection.Err() == nil {
		return c.connection, nil
	}
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(true)
	connection, err := transport.NewClientConn(ctx, c.url.Scheme, c.url.Host)
	if err == nil {
		c.connection = connection
	}
	return connection, err
}

func (c *http2) close() {
	if c.connection != nil {
		_ = c.connection.Close() // as above
	}
}

func (c *http2) exchange() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	connection, err := c.get(ctx)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	if err != nil {
		return err
	}
	answer, err := connection.RoundTrip(request)
	if err != nil {
		return err
	}
	return read(answer)
}
