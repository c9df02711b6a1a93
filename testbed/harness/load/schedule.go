package load

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// schedule gives turns, each of which allows one request: in an open loop at a fixed rate, else to
// whoever asks.
type schedule struct {
	Options
	start    time.Time
	interval time.Duration // 0: a closed loop
	taken    atomic.Int64  // turns of a closed loop
	pending  chan time.Time
	ended    time.Time // when pace returned
}

func newSchedule(start time.Time, o Options) *schedule {
	s := &schedule{Options: o, start: start, pending: make(chan time.Time)}
	if o.Rate > 0 {
		s.interval = time.Duration(float64(time.Second) / o.Rate)
	}
	return s
}

// next waits for a turn, and says whether there is one, and when its request is due: none is there
// when ctx has ended, or all requests have been sent.
func (s *schedule) next(ctx context.Context) (due time.Time, ok bool) {
	if s.interval > 0 {
		due, ok = <-s.pending
		return due, ok
	}
	if ctx.Err() != nil || s.Requests > 0 && s.taken.Add(1) > int64(s.Requests) {
		return time.Time{}, false
	}
	return time.Now(), true
}

// pace hands out each turn at its time, until the last one or the end of ctx. A
// turn that nobody could take in time is handed out late, and never dropped.
func (s *schedule) pace(ctx context.Context) {
	defer func() {
		s.ended = time.Now()
		close(s.pending)
	}()
	for i := 0; s.Requests == 0 || i < s.Requests; i++ {
		due := s.start.Add(time.Duration(i) * s.interval)
		if s.Duration > 0 && due.Sub(s.start) >= s.Duration {
			return
		}
		sleepUntil(due)
		if ctx.Err() != nil {
			return
		}
		select {
		case s.pending <- due:
		case <-ctx.Done():
			return
		}
	}
}

// due is how many requests were due until pace returned.
func (s *schedule) due() int {
	d := s.ended.Sub(s.start)
	if s.Duration > 0 {
		d = min(d, s.Duration)
	}
	n := int((d + s.interval - 1) / s.interval)
	if s.Requests > 0 {
		n = min(n, s.Requests)
	}
	return n
}

// shortSleep is what is left to the kernel's own sleep: the runtime's timers
// round up to a millisecond when nothing else happens (netpoll in
// src/runtime/netpoll_epoll.go, Go 1.26), which is 20 requests at 20,000 a second.
const shortSleep = 2 * time.Millisecond

// sleepUntil returns at a time or a little after it, at once if it is over.
func sleepUntil(t time.Time) {
	d := time.Until(t)
	if d > shortSleep {
		time.Sleep(d - shortSleep)
		d = time.Until(t)
	}
	if d <= 0 {
		return
	}
	// An interrupted sleep gives a request that is early by less than that.
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}
