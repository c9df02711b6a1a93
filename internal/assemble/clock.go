package assemble

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// clockSamples is the number of comparisons of the two clocks. Between the readings of one
// comparison the thread may lose its processor.
const clockSamples = 10

// WallOffset measures CLOCK_REALTIME minus CLOCK_BOOTTIME, in nanoseconds. Of several comparisons
// it takes the one whose readings lie closest together. Unlike CLOCK_MONOTONIC, CLOCK_BOOTTIME goes
// on while the machine sleeps. The offset moves when the wall clock is set or slewed, so the caller
// measures it again at intervals.
func WallOffset() (int64, error) {
	var offset int64
	closest := int64(math.MaxInt64)
	for range clockSamples {
		var before, wall, after unix.Timespec
		for _, reading := range []struct {
			clock int32
			to    *unix.Timespec
		}{
			{unix.CLOCK_BOOTTIME, &before},
			{unix.CLOCK_REALTIME, &wall},
			{unix.CLOCK_BOOTTIME, &after},
		} {
			if err := unix.ClockGettime(reading.clock, reading.to); err != nil {
				return 0, fmt.Errorf("clock_gettime: %w", err)
			}
		}
		if apart := after.Nano() - before.Nano(); apart < closest {
			closest = apart
			offset = wall.Nano() - (before.Nano() + apart/2)
		}
	}
	return offset, nil
}
