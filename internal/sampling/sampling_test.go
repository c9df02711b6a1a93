package sampling

import (
	"math"
	"strings"
	"testing"
)

// The table of "TraceState: Probability Sampling", for four digits.
func TestRatiosHaveTheThresholdsOfTheSpecification(t *testing.T) {
	for _, c := range []struct {
		ratio  float64
		th     string
		actual float64
	}{
		{1, "0", 1},
		{0.5, "8", 0.5},
		{0.3333333333333333, "aaab", 0.3333282470703125},
		{0.25, "c", 0.25},
		{0.2, "cccd", 0.1999969482421875},
		{0.125, "e", 0.125},
		{0.1, "e666", 0.100006103515625},
		{0.0625, "f", 0.0625},
		{0.01, "fd70a", 0.010000228881835938},
		{0.001, "ffbe77", 0.0009999871253967285},
		{0.0001, "fff9724", 0.00010000169277191162},
		{0.00001, "ffff583a", 1.00000761449337e-05},
		{0.000001, "ffffef39", 1.00000761449337e-06},
		{MinRatio, "ffffffffffffff", MinRatio},
		{1 - 1e-9, "0", 1}, // four digits do not tell it from 1
	} {
		got, err := FromRatio(c.ratio)
		if err != nil || got.String() != c.th || math.Abs(got.Ratio()/c.actual-1) > 1e-14 {
			t.Errorf(
				"%v: th:%s, which is a ratio of %v, want th:%s and %v; %v", c.ratio, got,
				got.Ratio(), c.th, c.actual, err,
			)
		}
	}
}

func TestARatioOfNothingSamplesNothing(t *testing.T) {
	never, err := FromRatio(0)
	if err != nil || never.Samples(1<<56-1) {
		t.Errorf("threshold %#x, %v", uint64(never), err)
	}
	always, err := FromRatio(1)
	if err != nil || !always.Samples(0) {
		t.Errorf("threshold %#x, %v", uint64(always), err)
	}
}

func TestWhatIsNoRatioIsRefused(t *testing.T) {
	for _, ratio := range []float64{-0.1, 1.1, 10, MinRatio / 2, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if threshold, err := FromRatio(ratio); err == nil {
			t.Errorf("%v becomes %#x", ratio, uint64(threshold))
		}
	}
}

func TestARatioSamplesThatShareOfTraces(t *testing.T) {
	threshold, err := FromRatio(0.1)
	if err != nil {
		t.Fatal(err)
	}
	const step = 1 << 36 // random bits that are evenly spread
	sampled, all := 0, 0
	for random := uint64(0); random < 1<<56; random += step {
		all++
		if threshold.Samples(random) {
			sampled++
		}
	}
	if share := float64(sampled) / float64(all); math.Abs(share-0.1) > 1e-5 {
		t.Errorf("%d of %d", sampled, all)
	}
}

// A trace that is sampled at a ratio is sampled at every higher one.
func TestSamplingIsConsistent(t *testing.T) {
	previous := Never
	for ratio := MinRatio; ratio <= 1; ratio *= 1.01 {
		threshold, err := FromRatio(ratio)
		if err != nil || threshold > previous {
			t.Fatalf(
				"%v: threshold %#x, and %#x for less; %v", ratio, uint64(threshold),
				uint64(previous), err,
			)
		}
		previous = threshold
	}
}

func TestTheThresholdIsInOpenTelemetrysMemberOfTheTracestate(t *testing.T) {
	const e666 = Threshold(0xe6660000000000)
	// The first bits of an id are not the random ones.
	sampled := [16]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe6, 0x66}
	rejected := [16]byte{
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xe6,
		0x65,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
	}
	many := strings.Repeat("a=1,", 31) + "z=1"
	full := "x:" + strings.Repeat("a", 250)
	for name, c := range map[string]struct {
		id          [16]byte
		state, want string
	}{
		"a root":                          {sampled, "", "ot=th:e666"},
		"another's members":               {sampled, "a=1, b=2", "ot=th:e666,a=1,b=2"},
		"an older threshold":              {sampled, "a=1,ot=th:8;x:y", "ot=x:y;th:e666,a=1"},
		"a tenant that is called ot":      {sampled, "t@ot=th:8", "ot=th:e666,t@ot=th:8"},
		"an id that says otherwise":       {rejected, "a=1,ot=th:8", "a=1"},
		"randomness that is named":        {rejected, "ot=rv:f0000000000000", "ot=rv:f0000000000000;th:e666"},
		"named, and says otherwise":       {sampled, "ot=th:0;rv:00000000000000", "ot=rv:00000000000000"},
		"named, and malformed":            {sampled, "ot=rv:0", "ot=rv:0;th:e666"},
		"as many members as there may be": {sampled, many, "ot=th:e666," + strings.TrimSuffix(many, ",z=1")},
		"no room":                         {sampled, "ot=" + full, "ot=" + full},
	} {
		if got := (Sampler{Threshold: e666}).TraceState(c.id, c.state); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", name, c.state, got, c.want)
		}
	}
	if got := (Sampler{}).TraceState(rejected, "ot=th:8"); got != "ot=th:0" {
		t.Errorf("sampled whatever its parent said: %q", got)
	}
}

func TestASamplerFollowsParentsUnlessItIgnoresThem(t *testing.T) {
	for _, c := range []struct {
		parentBased, root, remote, decides bool
	}{
		{parentBased: true, root: true, decides: true},
		{parentBased: true, remote: true, decides: false},
		{parentBased: false, root: true, decides: true},
		{parentBased: false, remote: true, decides: true},
		{parentBased: false, decides: false}, // its parent is in its own process
	} {
		sampler, err := New(0.5, c.parentBased)
		if err != nil {
			t.Fatal(err)
		}
		if got := sampler.Decides(c.root, c.remote); got != c.decides {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
