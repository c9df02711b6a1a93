package load

import (
	"cmp"
	"context"
	"time"
)

const (
	// answerTimeout is how long an answer may take before it counts as failed.
	answerTimeout = 10 * time.Second
	// reconnectPause keeps a server that is away from being asked all the time.
	reconnectPause = 10 * time.Millisecond
)

// client is a worker's way to the server. A new one is not connected.
type client interface {
	connected() bool
	connect(ctx context.Context) error
	// disconnect is for when nobody sends any more.
	disconnect()
	// exchange sends the request, and returns the status when the whole answer
	// was read. A connection that is of no more use is one no longer.
	exchange(now time.Time) (status int, err error)
}

// worker sends requests, one after the other.
type worker struct {
	client
	Result // of its part of the load
}

// work takes turns until there are no more.
func (w *worker) work(ctx context.Context, turns *schedule) {
	for w.ready(ctx) {
		due, ok := turns.next(ctx)
		if !ok {
			return
		}
		written := time.Now()
		status, err := w.exchange(written)
		w.Sent++
		w.Lag.Record(written.Sub(due))
		if err != nil {
			w.Failed++
			w.FirstError = cmp.Or(w.FirstError, err)
			continue
		}
		w.lastAnswer = time.Now()
		w.Latency.Record(w.lastAnswer.Sub(due))
		w.Answered++
		w.Statuses[status]++
	}
}

// ready sees to it that there is a connection; it is false when ctx has ended
// before there was one.
func (w *worker) ready(ctx context.Context) bool {
	for !w.connected() {
		err := w.connect(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.Refused++
		w.FirstError = cmp.Or(w.FirstError, err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(reconnectPause):
		}
	}
	return true
}
