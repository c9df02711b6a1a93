// Package report says what a run of the benchmark has shown: it sums measurements up,
// checks them against the targets, and writes the page. It is pure.
package report

import (
	"time"
)

// Run is one run of the benchmark: all that its report tells.
type Run struct {
	Machine  Machine
	Settings Settings
	Cases    []Case
	Hits     []*Hits // of short loads of their own
	Context  *ContextCost
	// Unseen are the first processes of binaries that nobody has run before, of
	// each round; AtOnce are those that were started together.
	Unseen    []ShortLived
	AtOnce    []AtOnce
	Inspected []Inspected // the largest first
}

// Machine is what the figures depend on.
type Machine struct {
	Kernel         string // release
	CPU            string // model
	Arch           string // as Go names it
	CPUs           int    // that a process may use
	PossibleCPUs   int    // that the kernel has room for: per-CPU maps grow with it
	Memory         int64  // bytes
	Go             string // version that built the servers
	Virtualization string // "" on bare metal
}

// Settings are how the run was made.
type Settings struct {
	Date        time.Time
	Rounds      int
	Duration    time.Duration // of each load
	Connections int
	Rates       map[Mode]float64 // requests or calls a second, of the open loops
}

// Some settings are those of every run. Processes that come and go beside a load are each of one
// of so many copies of the bare server; one starts every interval, and answers so many requests.
const (
	Streams         = 4 // requests under way on a connection of HTTP/2
	Copies          = 20
	ChurnInterval   = 300 * time.Millisecond
	RequestsOfShort = 5
)

// HTTP2Connections have as many requests under way as so many of HTTP/1.1.
func HTTP2Connections(http1 int) int { return max(http1/Streams, 1) }

// FewRounds are those of calls, and of processes that come and go.
func (s Settings) FewRounds() int { return min(s.Rounds, 3) }

// ChurnDuration is how long a load lasts beside which processes come and go.
func (s Settings) ChurnDuration() time.Duration { return 2 * s.Duration }

// Mode is a kind of load.
type Mode string

// The modes.
const (
	Fixed     Mode = "fixed"     // open loop, at a rate that every case holds
	HTTP2     Mode = "HTTP/2"    // the same over HTTP/2 without TLS, at a rate of its own
	Saturated Mode = "saturated" // closed loop
	Arrival   Mode = "arrival"   // open loop, at the rate at which every span must arrive
	Calm      Mode = "calm"      // as fixed, and without what Churn has
	Churn     Mode = "churn"     // as fixed, while processes come and go
)

// The kinds of calls, each an open loop at a rate of its own: what is measured is the
// program that makes them, or serves them.
const (
	HTTPClient   Mode = "HTTP/1.1 client"
	UnaryClient  Mode = "gRPC client, unary"
	StreamClient Mode = "gRPC client, stream"
	UnaryServer  Mode = "gRPC server, unary"
	StreamServer Mode = "gRPC server, stream"
)

var kindsOfCalls = []Mode{HTTPClient, UnaryClient, StreamClient, UnaryServer, StreamServer}

// The keys of the cases.
const (
	Bare   = "a"
	ByHand = "b"
	Probed = "c"
	// Bystander is a process that is not traced, of an executable of which another process
	// is: its probes are hit, and the programs return at once. However little they did, a
	// traced process would cost no less.
	Bystander = "d"
)

// Measures tells whether a case is measured in a mode.
func Measures(key string, mode Mode) bool {
	switch mode {
	case Fixed, Saturated:
		return true
	case Calm, Churn:
		return key == Bare || key == Probed
	}
	return key != Bystander
}

// Case is one way of tracing the server, or of not tracing it.
type Case struct {
	Key    string
	Title  string
	Traced bool // its requests have spans
	Rounds map[Mode][]Measurement
}

// Cases are all of them, without rounds.
var Cases = []Case{
	{Key: Bare, Title: "bare"},
	{Key: ByHand, Title: "instrumented by hand", Traced: true},
	{Key: Probed, Title: "traced by spanprobe", Traced: true},
	{Key: Bystander, Title: "not traced, of a traced executable"},
}

// Measurement is one load of one case in one round.
type Measurement struct {
	Due, Sent, Answered int           // requests
	Elapsed             time.Duration // of the load
	P50, P99            time.Duration // latency; in an open loop from when a request was due
	LagP99              time.Duration // in an open loop: from then until it was sent

	// Processor time until the last span has arrived.
	App, Collector time.Duration

	Spans int            // of the load's requests, that arrived in the sink
	Short ShortLived     // that came and went beside the load
	Lost  map[string]int // by reason, as the collector has counted

	CollectorRSS int64 // bytes
	BPFMemory    int64 // bytes; 0 without BPF

	// Others is the share of the machine's processor time that programs outside
	// of the benchmark took, and Stolen what the hypervisor gave to others.
	Others, Stolen float64
}

// ShortLived are processes that answered a few requests each and ended.
type ShortLived struct{ Processes, Requests, Spans int }

// AtOnce are processes that were started together. Then each got one request.
type AtOnce struct {
	ShortLived
	Serving, Traced time.Duration // from the first one's start until all did, and were
}

// Hits are how often BPF programs ran, by kind of load.
type Hits struct {
	Each   string // of what they are counted: "request" or "call"
	Titles []string
	Probes []Probe
}

// Probe is one BPF program.
type Probe struct {
	Library string // whose program it is; "" for those on tracepoints
	Program string
	Counts  []Count // for each title
}

// Count is how often a program ran, and for how long.
type Count struct {
	Hits float64       // a request
	Time time.Duration // a hit, inside the program
}

// Context is a way in which spans find their parents.
type Context string

// The ways.
const (
	Untraced Context = "not traced"
	Isolated Context = "traced, without parents"           // none but those that a header names
	Joined   Context = "traced, with parents"              // as by default
	Ancestry Context = "traced, with `goroutine_ancestry`" // that, too
)

// ContextCost is what it takes that spans find their parents.
type ContextCost struct {
	// Calls are the runs of all programs for a call, at both of its ends: hits, and
	// the time of all of these together.
	Calls map[Mode]map[Context]Count
	// Starts are the processor times of a goroutine that is started and does nothing,
	// one for each round.
	Starts map[Context][]time.Duration
}

// Inspected is one binary that was inspected and planned, several times, each by a
// process of its own.
type Inspected struct {
	Name      string
	Size      int64 // bytes
	Functions int
	Took      []time.Duration // of the whole process
	Memory    int64           // bytes that the process had resident, at the most
}

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
