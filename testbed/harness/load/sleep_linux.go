package load

import (
	"time"

	"golang.org/x/sys/unix"
)

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
