package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram counts durations of up to an hour, each known to better than 1 in 1000. The zero value
// is empty and ready for use; it is not safe for concurrent use.
type Histogram struct {
	counts *hdrhistogram.Histogram // nil: nothing was counted
	max    time.Duration
}

func (h *Histogram) all() *hdrhistogram.Histogram {
	if h.counts == nil {
		h.counts = hdrhistogram.New(1, int64(time.Hour), 3)
	}
	return h.counts
}

// Record counts one duration; a negative one counts as zero.
func (h *Histogram) Record(d time.Duration) {
	d = min(max(d, 0), time.Hour)
	_ = h.all().RecordValue(int64(d)) // which is in range
	h.max = max(h.max, d)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	h.all().Merge(other.all())
	h.max = max(h.max, other.max)
}

// Count is how many durations were recorded.
func (h *Histogram) Count() int { return int(h.all().TotalCount()) }

// Max is the longest duration.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that the share q (0 to 1) of all durations does
// not exceed, at most 1 in 1000 too long. It is zero without any.
func (h *Histogram) Quantile(q float64) time.Duration {
	return min(time.Duration(h.all().ValueAtQuantile(100*q)), h.max)
}
