// Package await waits for conditions that nobody announces: it asks again and again.
package await

import (
	"context"
	"time"
)

// interval is how long Until waits before it asks again.
const interval = 10 * time.Millisecond

// Until asks check until that returns no error. When ctx ends first, Until returns the last error
// of check that is not the end of ctx itself.
func Until(ctx context.Context, check func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		// A check that fails because the time is over says nothing of why it took so long.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-ticker.C:
		}
	}
}
