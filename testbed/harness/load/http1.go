package load

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// http1 writes requests of HTTP/1.1, and reads the answers, over one connection: with no goroutine
// of its own.
type http1 struct {
	address string
	request []byte // as it is written every time

	connection net.Conn // nil while there is none
	reader     *bufio.Reader
	deadline   time.Time // of the connection
}

func (c *http1) connected() bool { return c.connection != nil }

func (c *http1) connect(ctx context.Context) (err error) {
	c.connection, err = (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
	c.reader, c.deadline = bufio.NewReader(c.connection), time.Time{}
	return err
}

func (c *http1) disconnect() {
	if c.connection != nil {
		_ = c.connection.Close() // nothing is left to be written
		c.connection = nil
	}
}

// exchange disconnects when the answer is not whole, or the last one of its
// connection.
func (c *http1) exchange(now time.Time) (status int, err error) {
	status, last, err := c.roundTrip(now)
	if err != nil || last {
		c.disconnect()
	}
	return status, err
}

// roundTrip sends the request and reads the whole answer. last tells that the server ends the
// connection after it.
func (c *http1) roundTrip(now time.Time) (status int, last bool, err error) {
	// Not for each request: it costs a timer's change.
	if c.deadline.Sub(now) < answerTimeout {
		c.deadline = now.Add(2 * answerTimeout)
		if err := c.connection.SetDeadline(c.deadline); err != nil {
			return 0, false, err
		}
	}
	if _, err := c.connection.Write(c.request); err != nil {
		return 0, false, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, false, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Close, err
}
