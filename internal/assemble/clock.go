package assemble

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// clockSamples is how often the two clocks are compared: between the readings
// of one comparison the thread may lose its processor.
const clockSamples = 10

// WallOffset measures CLOCK_REALTIME minus CLOCK_BOOTTIME, in nanoseconds: of
// several readings the one in which the two were read closest together. Unlike
// CLOCK_MONOTONIC, CLOCK_BOOTTIME goes on while the machine sleeps; the offset
// moves only when the wall clock is set or slewed, so it is measured again at
// intervals.
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
