package report

// find is the case of a key.
func (r *Run) find(key string) *Case {
	for i := range r.Cases {
		if r.Cases[i].Key == key {
			return &r.Cases[i]
		}
	}
	panic("no case " + key)
}

// rounds are those of a case in one mode.
func (r *Run) rounds(key string, mode Mode) []Measurement { return r.find(key).Rounds[mode] }

// perRound makes one number of each round in which all of the cases ran, from their
// measurements in the order of the keys.
func (r *Run) perRound(mode Mode, ratio func(in []Measurement) float64, keys ...string) Spread {
	var values []float64
	for round := range r.rounds(keys[0], mode) {
		var in []Measurement
		for _, key := range keys {
			if rounds := r.rounds(key, mode); round < len(rounds) {
				in = append(in, rounds[round])
			}
		}
		if len(in) == len(keys) {
			values = append(values, ratio(in))
		}
	}
	return SpreadOf(values)
}

// total adds the rounds of a load up, as far as they are counted.
func total(rounds []Measurement) Measurement {
	sum := Measurement{Lost: map[string]int{}}
	for _, m := range rounds {
		sum.Due, sum.Sent, sum.Spans = sum.Due+m.Due, sum.Sent+m.Sent, sum.Spans+m.Spans
		sum.Short = sum.Short.plus(m.Short)
		for reason, n := range m.Lost {
			sum.Lost[reason] += n
		}
	}
	return sum
}

func (s ShortLived) plus(other ShortLived) ShortLived {
	return ShortLived{
		s.Processes + other.Processes, s.Requests + other.Requests, s.Spans + other.Spans,
	}
}

// Missing are the requests without a span.
func (s ShortLived) Missing() int { return s.Requests - s.Spans }
