// Package ring reads records from a BPF ring buffer in batches.
package ring

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// Reader reads one ring buffer from one goroutine. The programs wake nobody
// for a single record: the reader looks at fixed intervals, and a program wakes
// it before that only when much is waiting.
type Reader struct {
	records *ringbuf.Reader
	epoll   int

	mu     sync.Mutex
	stop   int // eventfd
	closed bool
}

// New opens a reader of the ring buffer m.
func New(m *ebpf.Map) (_ *Reader, err error) {
	records, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, fmt.Errorf("open the ring buffer: %w", err)
	}
	r := &Reader{records: records, epoll: -1, stop: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	if r.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	// Edge-triggered: a ring buffer is "readable" as long as it holds anything
	// (kernel/bpf/ringbuf.c, ringbuf_map_poll), and a level-triggered wait would
	// return for each record. The edge is the programs' own wake-up.
	if err = r.watch(m.FD(), unix.EPOLLIN|unix.EPOLLET); err != nil {
		return nil, err
	}
	if err = r.watch(r.stop, unix.EPOLLIN); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) watch(fd int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Run reads until Stop is called, and then what is left. Each record is handed
// to handle, which must not keep it; drained is called whenever the ring buffer
// was found empty, at least once an interval.
func (r *Reader) Run(interval time.Duration, handle func(record []byte), drained func()) (err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		stopped, err := r.wait(interval)
		if err != nil {
			return err
		}
		if err := r.drain(handle); err != nil {
			return err
		}
		drained()
		if stopped {
			return nil
		}
	}
}

// wait returns after the interval, or when a program or Stop wakes it.
func (r *Reader) wait(interval time.Duration) (stopped bool, err error) {
	var events [2]unix.EpollEvent
	n, err := unix.EpollWait(r.epoll, events[:], int(interval.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("epoll_wait: %w", err)
	}
	for i := 0; i < n; i++ {
		if events[i].Fd == int32(r.stop) {
			stopped = true
		}
	}
	return stopped, nil
}

// drain reads what is there, without waiting for more.
func (r *Reader) drain(handle func(record []byte)) error {
	r.records.SetDeadline(time.Unix(0, 1)) // long past: never block
	var record ringbuf.Record
	for {
		err := r.records.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("read the ring buffer: %w", err)
		}
		handle(record.RawSample)
	}
}

// Stop makes Run return after it has read what is left, unless it has returned
// with an error already. It may be called from any goroutine.
func (r *Reader) Stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	one := [8]byte{1}
	if _, err := unix.Write(r.stop, one[:]); err != nil {
		return fmt.Errorf("stop the ring buffer's reader: %w", err)
	}
	return nil
}

// Close frees a reader that was never run; Run does so itself.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	errs := []error{r.records.Close()}
	for _, fd := range []int{r.epoll, r.stop} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}
