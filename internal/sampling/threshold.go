// Package sampling is OpenTelemetry's consistent probability sampling. A trace is sampled if the
// random bits of its id are not below a threshold, so that whoever samples the same trace at the
// same or a higher ratio samples it too. The source is "TraceState: Probability Sampling" of the
// specification. The BPF programs decide for each operation.
//
// The Collector's contrib has a package for this, pkg/sampling, of which v0.162.0 was compared. It
// keeps more digits of the threshold of a ratio above 15/16. It refuses a tracestate as a whole
// when a member is malformed, or when there are 32 members, and it lets OpenTelemetry's member grow
// beyond 256 bytes. This package passes on what a target has sent, as far as that is possible.
package sampling

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Threshold is a rejection threshold: how many of 2^56 traces are not sampled.
type Threshold uint64

// The ends of the range.
const (
	Always Threshold = 0
	// Never is above all random bits. The specification has no text for it: nothing
	// is sampled that could carry it.
	Never Threshold = 1 << randomBits
)

const (
	randomBits = 56 // of a trace id
	digits     = randomBits / 4
	// precision is the number of significant digits that a threshold keeps, beside those in front
	// that are f. The specification recommends it.
	precision = 4
	// MinRatio is the smallest ratio but 0.
	MinRatio = 1.0 / (1 << randomBits)
)

// FromRatio returns the threshold by which a ratio of all traces is sampled: 0,
// or from MinRatio to 1. It is rounded, so that its text is short: 0.1 becomes
// 0.100006.
func FromRatio(ratio float64) (Threshold, error) {
	switch {
	case ratio == 0:
		return Never, nil
	case math.IsNaN(ratio) || ratio < MinRatio || ratio > 1:
		return 0, fmt.Errorf("%v is neither 0 nor from 2^-56 to 1", ratio)
	}
	threshold := Never - Threshold(math.Round(ratio*float64(Never)))
	_, exponent := math.Frexp(ratio)
	if kept := precision + max(-exponent, 0)/4; kept < digits {
		unit := Threshold(1) << (4 * (digits - kept))
		threshold = (threshold + unit/2) / unit * unit
	}
	return threshold, nil
}

// String is the threshold as the value of th in a tracestate: its digits, without
// the zeros behind them.
func (t Threshold) String() string {
	if t == Always {
		return "0"
	}
	return strings.TrimRight(fmt.Sprintf("%0*x", digits, uint64(t)), "0")
}

// Ratio is how much of all traces is sampled.
func (t Threshold) Ratio() float64 { return float64(Never-t) / float64(Never) }

// Samples tells whether a trace is sampled, given its random bits.
func (t Threshold) Samples(random uint64) bool { return random >= uint64(t) }

// random returns the random bits of a trace: those that its tracestate names (rv),
// else the last ones of its id (W3C Trace Context Level 2, random-trace-id).
func random(traceID [16]byte, ot string) uint64 {
	if value, ok := subKey(ot, "rv"); ok && len(value) == digits {
		if explicit, err := strconv.ParseUint(value, 16, 64); err == nil {
			return explicit
		}
	}
	return binary.BigEndian.Uint64(traceID[8:]) & (1<<randomBits - 1)
}
