package main

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// Bounds of the rates that are looked for, in requests or calls a second.
const (
	minRate      = 500
	maxRate      = 8000
	maxHTTP2Rate = 4000
	maxCallRate  = 3000
)

const (
	// shareOfSaturation is where the search begins.
	shareOfSaturation = 0.6
	// mustHold is the share of a rate that must have been sent.
	mustHold = 0.99
	// trialDuration is how long a rate must be held.
	trialDuration = 3 * time.Second
)

// findRates finds the rates that were not given.
func (b *bench) findRates() error {
	highest := map[report.Mode]float64{report.Fixed: maxRate, report.HTTP2: maxHTTP2Rate}
	given := func(kind report.Mode) bool { return b.rates[kind] != 0 }
	for _, what := range []subject{server, clients, servers} {
		missing := slices.DeleteFunc(slices.Clone(what.kinds), given)
		if len(missing) == 0 {
			continue
		}
		b.say("looking for rates that the %s keeps up with, instrumented by hand", what.name)
		err := b.onStage(setup{subject: what, key: report.ByHand}, func(s *stage) (err error) {
			for _, kind := range missing {
				b.run.Settings.Found[kind] = true
				b.rates[kind], err = s.findRate(kind, cmp.Or(highest[kind], maxCallRate))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// findRate finds a rate at which the subject keeps up with every request, and all of their spans
// arrive. It begins with a closed loop.
func (s *stage) findRate(kind report.Mode, highest float64) (float64, error) {
	m, err := s.measure(kind, load.Options{Duration: trialDuration})
	rate := min(shareOfSaturation*float64(m.Answered)/m.Elapsed.Seconds(), highest)
	for err == nil {
		rate = math.Floor(rate/minRate) * minRate
		if rate < minRate {
			return 0, errors.New("a program that is instrumented by hand keeps up with no rate: " +
				"the machine is too busy, or give the rates")
		}
		m, err = s.measure(kind, load.Options{Rate: rate, Duration: trialDuration})
		if err == nil && float64(m.Sent) >= mustHold*float64(m.Due) && m.Spans == m.Sent {
			return rate, nil
		}
		rate *= 0.8
	}
	return 0, err
}
