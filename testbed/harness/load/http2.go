package load

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// http2 is a stream at a time of a connection that it shares with others.
type http2 struct {
	shared  *http2Connection
	request *http.Request // of which every request is a copy

	connection *http.ClientConn // that it uses; nil while there is none
}

func (c *http2) connected() bool { return c.connection != nil }

func (c *http2) connect(ctx context.Context) (err error) {
	c.connection, err = c.shared.get(ctx)
	return err
}

// disconnect closes the connection, for all who share it.
func (c *http2) disconnect() {
	if c.connection != nil {
		_ = c.connection.Close() // nothing is left to be written
		c.connection = nil
	}
}

// exchange keeps the connection if no more than a stream was broken.
func (c *http2) exchange(time.Time) (status int, err error) {
	status, err = c.roundTrip()
	if c.connection.Err() != nil {
		c.connection = nil
	}
	return status, err
}

func (c *http2) roundTrip() (status int, err error) {
	// A context of its own, since the end of the load is none of a request that
	// was sent.
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	response, err := c.connection.RoundTrip(c.request.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

// http2Connection is one connection for several workers. It is safe for
// concurrent use.
type http2Connection struct {
	transport *http.Transport
	url       *url.URL

	mu      sync.Mutex
	current *http.ClientConn // nil at first
}

// get returns a connection that works, a new one if need be.
func (c *http2Connection) get(ctx context.Context) (*http.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.current.Err() == nil {
		return c.current, nil
	}
	connection, err := c.transport.NewClientConn(ctx, c.url.Scheme, c.url.Host)
	if err != nil {
		return nil, err
	}
	c.current = connection
	return connection, nil
}

// http2Transport speaks HTTP/2 and nothing else: over TLS, or without it from
// the first byte on ("prior knowledge", RFC 9113, section 3.3).
func http2Transport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{
		Protocols:          &protocols,
		DisableCompression: true,
		// A server that is measured makes its certificate by itself.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
}
