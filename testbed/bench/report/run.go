// Package report says what a benchmark's run has shown: it sums measurements up,
// checks them against the targets, and writes the page. It is pure.
package report

import "time"

// Run is one run of the benchmark: all that its report tells.
type Run struct {
	Machine  Machine
	Settings Settings
	Cases    []Case
	// Probes are the hits of a short load of their own; nil if there was none.
	Probes []Probe
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
}

// Mode is a kind of load.
type Mode string

// The modes.
const (
	Fixed     Mode = "fixed"     // open loop, at a rate that every case holds
	Saturated Mode = "saturated" // closed loop
	Arrival   Mode = "arrival"   // open loop, at the rate at which every span must arrive
)

// The keys of the cases.
const (
	Bare   = "a"
	ByHand = "b"
	Probed = "c"
)

// Case is one way of tracing the server, or of not tracing it.
type Case struct {
	Key    string
	Title  string
	Traced bool // there is a collector, and spans
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

	Spans int // of the load's requests, that arrived in the sink
	// Lost is what the collector has counted as lost, by reason.
	Lost map[string]int

	CollectorRSS int64 // bytes
	BPFMemory    int64 // bytes; 0 without BPF

	// Others is the share of the machine's processor time that programs outside
	// of the benchmark took, and Stolen what the hypervisor gave to others.
	Others, Stolen float64
}

// Probe is one BPF program, and how often it ran.
type Probe struct {
	Program string
	Symbols []string // functions it is attached to; none for a tracepoint
	Sites   int
	Class   string        // of the sites' instructions; "" for a tracepoint
	Hits    float64       // a request
	Time    time.Duration // a hit, inside the program
}
