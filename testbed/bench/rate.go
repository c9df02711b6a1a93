package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/internal/load"
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
	if settings.RateFound {
		if settings.Rate, err = s.findRate(ctx, http1Load(settings.Connections), maxRate); err != nil {
			return fmt.Errorf("HTTP/1.1: %w", err)
		}
	}
	if settings.HTTP2RateFound {
		if settings.HTTP2Rate, err = s.findRate(ctx, http2Load(settings.Connections), maxHTTP2Rate); err != nil {
			return fmt.Errorf("HTTP/2: %w", err)
		}
	}
	return nil
}

// findRate finds a rate at which the server answers every request in time, and
// all of its spans arrive.
func (s *stage) findRate(ctx context.Context, o load.Options, highest float64) (rate float64, err error) {
	o.Duration = trialDuration
	m, err := s.measure(ctx, o)
	if err != nil {
		return 0, err
	}
	for o.Rate = min(shareOfSaturation*float64(m.Answered)/m.Elapsed.Seconds(), highest); ; o.Rate *= 0.8 {
		o.Rate = math.Floor(o.Rate/minRate) * minRate
		if o.Rate < minRate {
			return 0, errors.New("the server instrumented by hand keeps up with no rate: the machine is too busy, or give one with -rate and -http2-rate")
		}
		m, err := s.measure(ctx, o)
		if err != nil {
			return 0, err
		}
		if float64(m.Sent) >= mustHold*float64(m.Due) && m.Spans == m.Sent {
			return o.Rate, nil
		}
	}
}
