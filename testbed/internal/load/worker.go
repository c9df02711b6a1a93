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

const (
	// answerTimeout is how long an answer may take before its connection counts
	// as broken.
	answerTimeout = 10 * time.Second
	// reconnectPause keeps a server that is away from being asked all the time.
	reconnectPause = 10 * time.Millisecond
)

// worker sends requests over one connection, one after the other.
type worker struct {
	address string
	request []byte

	connection net.Conn // nil while there is none
	reader     *bufio.Reader
	deadline   time.Time // of the connection

	sent, answered, refused int
	statuses                map[int]int
	latency, lag            Histogram
	lastAnswer              time.Time
	firstError              error
}

func (w *worker) connect(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.address)
	if err != nil {
		return err
	}
	w.connection, w.deadline = connection, time.Time{}
	if w.reader == nil {
		w.reader = bufio.NewReader(connection)
	} else {
		w.reader.Reset(connection)
	}
	return nil
}

func (w *worker) disconnect() {
	if w.connection != nil {
		_ = w.connection.Close() // nothing is left to be written
		w.connection = nil
	}
}

// work takes turns until there are no more.
func (w *worker) work(ctx context.Context, turns turns) {
	defer w.disconnect()
	for w.ready(ctx) {
		due, ok := turns.next(ctx)
		if !ok {
			return
		}
		written := time.Now()
		status, closing, err := w.exchange(written)
		w.sent++
		w.lag.Record(written.Sub(due))
		if err != nil {
			w.fail(err)
			w.disconnect()
			continue
		}
		w.lastAnswer = time.Now()
		w.latency.Record(w.lastAnswer.Sub(due))
		w.answered++
		w.statuses[status]++
		if closing {
			w.disconnect()
		}
	}
}

// ready sees to it that there is a connection; it is false when ctx has ended
// before there was one.
func (w *worker) ready(ctx context.Context) bool {
	for w.connection == nil {
		err := w.connect(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.refused++
		w.fail(err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(reconnectPause):
		}
	}
	return true
}

func (w *worker) fail(err error) {
	if w.firstError == nil {
		w.firstError = err
	}
}

// exchange sends the request and reads the whole answer. closing tells that the
// server ends the connection after it.
func (w *worker) exchange(now time.Time) (status int, closing bool, err error) {
	// Not for each request: it costs a timer's change.
	if w.deadline.Sub(now) < answerTimeout {
		w.deadline = now.Add(2 * answerTimeout)
		if err := w.connection.SetDeadline(w.deadline); err != nil {
			return 0, false, err
		}
	}
	if _, err := w.connection.Write(w.request); err != nil {
		return 0, false, err
	}
	status, length, closing, err := readHead(w.reader)
	if err != nil {
		return 0, false, fmt.Errorf("the answer's head: %w", err)
	}
	if _, err := w.reader.Discard(length); err != nil {
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
		return 0, 0, false, errors.New("it has no Content-Length, and no other framing is understood")
	}
	return status, length, closing, nil
}

func (w *worker) addTo(r *Result) {
	r.Sent += w.sent
	r.Answered += w.answered
	r.Failed += w.sent - w.answered
	r.Refused += w.refused
	for status, n := range w.statuses {
		r.Statuses[status] += n
	}
	r.Latency.Merge(&w.latency)
	r.Lag.Merge(&w.lag)
	if r.FirstError == nil {
		r.FirstError = w.firstError
	}
}
