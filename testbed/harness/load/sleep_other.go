//go:build !linux

package load

import "time"

// sleepUntil returns at a time or a little after it, at once if it is over.
func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
