package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// Bounds of the rates that are looked for, in requests a second.
const (
	minRate      = 500
	maxRate      = 8000
	maxHTTP2Rate = 4000
	// shareOfSaturation is where the search begins.
	shareOfSaturation = 0.6
	// mustHold is the share of a rate that must have been sent.
	mustHold = 0.99
	// trialDuration is how long a rate must be held.
	trialDuration = 3 * time.Second
)

// findRates finds the rates that were not given.
func findRates(ctx context.Context, b binaries, settings *report.Settings, progress io.Writer) (err error) {
	settings.RateFound, settings.HTTP2RateFound = settings.Rate == 0, settings.HTTP2Rate == 0
	if !settings.RateFound && !settings.HTTP2RateFound {
		return nil
	}
	fmt.Fprintln(progress, "looking for rates that the server instrumented by hand keeps up with")
	s, err := startStage(ctx, b, setup{key: report.ByHand, connections: settings.Connections})
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	for _, protocol := range []struct {
		name    string
		found   bool
		rate    *float64
		load    load.Options
		highest float64
	}{
		{"HTTP/1.1", settings.RateFound, &settings.Rate, http1Load(settings.Connections), maxRate},
		{"HTTP/2", settings.HTTP2RateFound, &settings.HTTP2Rate, http2Load(settings.Connections), maxHTTP2Rate},
	} {
		if !protocol.found {
			continue
		}
		*protocol.rate, err = findRate(protocol.highest, func(rate float64) (report.Measurement, error) {
			o := protocol.load
			o.Rate, o.Duration = rate, trialDuration
			return s.measure(ctx, o)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", protocol.name, err)
		}
	}
	return nil
}

// findRate finds a rate at which a program keeps up with every request, and all of
// their spans arrive. A trial without a rate is a closed loop.
func findRate(highest float64, try func(rate float64) (report.Measurement, error)) (float64, error) {
	m, err := try(0)
	if err != nil {
		return 0, err
	}
	for rate := min(shareOfSaturation*float64(m.Answered)/m.Elapsed.Seconds(), highest); ; rate *= 0.8 {
		rate = math.Floor(rate/minRate) * minRate
		if rate < minRate {
			return 0, errors.New("what is instrumented by hand keeps up with no rate: the machine is too busy, or give the rates")
		}
		m, err := try(rate)
		if err != nil {
			return 0, err
		}
		if float64(m.Sent) >= mustHold*float64(m.Due) && m.Spans == m.Sent {
			return rate, nil
		}
	}
}
