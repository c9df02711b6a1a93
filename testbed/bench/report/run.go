// Package report says what a benchmark's run has shown: it sums measurements up,
// checks them against the targets, and writes the page. It is pure.
package report

import "time"

// Run is one run of the benchmark: all that its report tells.
type Run struct {
	Machine  Machine
	Settings Settings
	Cases    []Case
	// Hits are of short loads of their own; nil if there were none.
	Hits *Hits
	// CallHits are the same of the kinds of calls.
	CallHits *Hits
	Context  *ContextCost
	// Unseen are the first processes of binaries that nobody has run before, of
	// each round; AtOnce are those that were started together.
	Unseen []ShortLived
	AtOnce []AtOnce
	// Inspected are binaries, the largest first.
	Inspected []Inspected
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
	Rate        float64       // requests a second, of the fixed load
	RateFound   bool          // the run determined the rate
	ArrivalRate float64       // requests a second, of the load that every span must survive
	Connections int

	HTTP2Rate        float64 // requests a second, of the load over HTTP/2
	HTTP2RateFound   bool
	HTTP2Connections int
	Streams          int // at a time on each of them

	CallRounds    int
	CallRates     map[Mode]float64 // calls a second, by kind
	CallRateFound bool

	// What comes and goes beside a load: a process of one of so many copies of
	// the bare server every interval, which answers so many requests.
	ChurnRounds     int
	ChurnDuration   time.Duration // of each load
	ChurnInterval   time.Duration
	Copies          int
	RequestsOfShort int
}

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
	// Bystander is a process that is not traced, of an executable of which another process is:
	// its probes are hit, and the programs return at once. However little they did, a traced process would cost no less.
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

// Measurement is one load of one case in one round.
type Measurement struct {
	Due, Sent, Answered int           // requests
	Elapsed             time.Duration // of the load
	P50, P99            time.Duration // latency; in an open loop from the time at which a request was due
	LagP99              time.Duration // in an open loop: from then until it was sent

	// Processor time until the last span has arrived.
	App, Collector time.Duration

	Spans int        // of the load's requests, that arrived in the sink
	Short ShortLived // that came and went beside the load
	// Lost is what the collector has counted as lost, by reason.
	Lost map[string]int

	CollectorRSS int64 // bytes
	BPFMemory    int64 // bytes; 0 without BPF

	// Others is the share of the machine's processor time that programs outside
	// of the benchmark took, and Stolen what the hypervisor gave to others.
	Others, Stolen float64
}

// ShortLived are processes that answered a few requests each and ended.
type ShortLived struct{ Processes, Requests, Spans int }

// AtOnce are processes that were started together.
type AtOnce struct {
	Processes       int
	Serving, Traced time.Duration // from the first one's start until all did, and were
	Requests, Spans int           // then, one request to each
}

// Hits are how often BPF programs ran, by protocol or kind of call.
type Hits struct {
	Protocols []string
	Probes    []Probe
}

// Probe is one BPF program.
type Probe struct {
	Library  string // whose program it is; "" for those on tracepoints
	Program  string
	Symbols  []string // functions it is attached to; none for a tracepoint
	Sites    int
	Class    string  // of the sites' instructions; "" for a tracepoint
	OnDemand bool    // attached only once it is missed
	Counts   []Count // for each protocol
}

// Count is how often a program ran, and for how long.
type Count struct {
	Hits float64       // a request
	Time time.Duration // a hit, inside the program
}
