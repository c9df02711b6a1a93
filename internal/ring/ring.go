// Package ring reads records from a BPF ring buffer in batches.
package ring

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// Reader reads one ring buffer from one goroutine. The programs wake nobody for a single record.
// The reader looks at fixed intervals, and a program wakes it earlier only when much is waiting.
type Reader struct {
	records *ringbuf.Reader
	epoll   *os.File
	ready   syscall.RawConn // of epoll

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
	r := &Reader{records: records, stop: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err = r.openEpoll(); err != nil {
		return nil, err
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

// openEpoll makes an epoll instance that Go's own poller waits for. A goroutine
// that waits inside epoll_wait keeps its thread, and the scheduler's monitor
// (src/runtime/proc.go, sysmon) awake for up to 10 ms each time: a collector
// with nothing to do took five times as much CPU time.
func (r *Reader) openEpoll() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile then hands it to the poller
		return errors.Join(fmt.Errorf("fcntl: %w", err), unix.Close(fd))
	}
	r.epoll = os.NewFile(uintptr(fd), "epoll")
	if r.ready, err = r.epoll.SyscallConn(); err != nil {
		return fmt.Errorf("wait for the ring buffer: %w", err)
	}
	return nil
}

func (r *Reader) watch(fd int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	var err error
	if controlErr := r.ready.Control(func(epoll uintptr) {
		err = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event)
	}); controlErr != nil {
		return fmt.Errorf("watch the ring buffer: %w", controlErr)
	}
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Run reads until Stop is called, and then the rest. It hands each record to handle, which must not
// keep the record. It calls drained whenever it finds the ring buffer empty, at least once an
// interval.
func (r *Reader) Run(
	interval time.Duration, handle func(record []byte), drained func(),
) (err error) {
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
	if err := r.epoll.SetReadDeadline(time.Now().Add(interval)); err != nil {
		return false, fmt.Errorf("wait for the ring buffer: %w", err)
	}
	var events [2]unix.EpollEvent
	var n int
	var epollErr error
	err = r.ready.Read(func(epoll uintptr) bool {
		n, epollErr = unix.EpollWait(int(epoll), events[:], 0)
		return n != 0 || epollErr != nil
	})
	if epollErr != nil && !errors.Is(epollErr, unix.EINTR) {
		return false, fmt.Errorf("epoll_wait: %w", epollErr)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, fmt.Errorf("wait for the ring buffer: %w", err)
	}
	for _, event := range events[:max(n, 0)] {
		if event.Fd == int32(r.stop) {
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
	if r.epoll != nil {
		errs = append(errs, r.epoll.Close())
	}
	if r.stop >= 0 {
		errs = append(errs, unix.Close(r.stop))
	}
	return errors.Join(errs...)
}
