package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// http1 speaks the little of HTTP/1.1 that it takes, over one connection.
type http1 struct {
	address string
	request []byte // as it is written every time

	connection net.Conn // nil while there is none
	reader     *bufio.Reader
	deadline   time.Time // of the connection
}

func (c *http1) connected() bool { return c.connection != nil }

func (c *http1) connect(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.connection, c.deadline = connection, time.Time{}
	if c.reader == nil {
		c.reader = bufio.NewReader(connection)
	} else {
		c.reader.Reset(connection)
	}
	return nil
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
	status, closing, err := c.roundTrip(now)
	if err != nil || closing {
		c.disconnect()
	}
	return status, err
}

// roundTrip sends the request and reads the whole answer. closing tells that the
// server ends the connection after it.
func (c *http1) roundTrip(now time.Time) (status int, closing bool, err error) {
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
	status, length, closing, err := readHead(c.reader)
	if err != nil {
		return 0, false, fmt.Errorf("the answer's head: %w", err)
	}
	if _, err := c.reader.Discard(length); err != nil {
		return 0, false, fmt.Errorf("the answer's body: %w", err)
	}
	return status, closing, nil
}

// readHead reads an answer up to its body, of which it returns the length.
func readHead(r *bufio.Reader) (status, length int, closing bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, 0, false, err
	}
	// RFC 9112, section 4: HTTP-version SP status-code SP [reason-phrase]
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, 0, false, fmt.Errorf("%q is no status line", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, false, fmt.Errorf("%q is no status line", line)
	}
	length = -1
	if status == 204 || status == 304 {
		length = 0
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, 0, false, err
		}
		name, value, found := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if !found {
			break // the empty line
		}
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, false, fmt.Errorf("the length %q: %w", value, err)
			}
		case len(name) == len("Connection") && bytes.EqualFold(name, []byte("Connection")):
			closing = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 {
		return 0, 0, false, errors.New("it has no Content-Length: no other framing is understood")
	}
	return status, length, closing, nil
}
