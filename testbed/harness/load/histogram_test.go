package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreRightToOneIn1000(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var one, other Histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		if i%2 == 0 {
			one.Record(d)
		} else {
			other.Record(d)
		}
	}
	one.Merge(&other)
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(q*float64(len(all)))-1]
		if got := one.Quantile(q); got < want || got > want+want/1000 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if one.Count() != len(all) || one.Max() != all[len(all)-1] {
		t.Errorf(
			"%d durations up to %v, want %d up to %v",
			one.Count(),
			one.Max(),
			len(all),
			all[len(all)-1],
		)
	}
}

func TestAnEmptyHistogramHasNoQuantiles(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Errorf("%+v", h)
	}
}
