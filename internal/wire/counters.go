package wire

import "slices"

// Counter is the index of one of the kernel's "counters": bpf/include/counters.h.
type Counter = wireCounter

// Counts are the kernel's counters, by Counter.
type Counts = wireCounts

// Metric is one of the receiver's own metrics: what is counted, here or in the kernel.
type Metric struct {
	Name        string // without the prefix that the names of all of them have
	Unit        string
	Description string
	// Gauge says that the value may fall; all other metrics only ever rise.
	Gauge bool
	// Reasons are the values of the attribute "reason", each of which is counted apart. None: the
	// metric has no such attribute.
	Reasons []Reason

	source  // of a metric without reasons
	field   func(*Stats) *uint64
	gauge   func(*Stats) *int
	reasons func(*Stats) map[ReasonName]uint64
	// services counts the same by service too. Nil: the metric has no such attribute.
	services func(*Stats) map[Loss]uint64
}

// Reason is one value of the attribute "reason" of a metric.
type Reason struct {
	Name ReasonName
	source
}

// source says where the numbers come from.
type source struct {
	// kernel are the kernel's counters that are added up. Nil: user space counts alone.
	kernel []Counter
	// ends says that an operation which is counted here is in flight no more.
	ends bool
}

// by is a source of counters of the kernel.
func by(kernel ...Counter) source { return source{kernel: kernel} }

// ends is a source that counts operations at their end.
func ends(kernel ...Counter) source { return source{kernel: kernel, ends: true} }

// Metrics is the one list of what is counted. The names of the kernel's counters and of the fields
// of Stats are those of the metrics, without "spans_", and with the reason behind them.
var Metrics = []Metric{
	{
		Name: "operations", Unit: "{operation}",
		Description: "Requests of traced processes that reached a probe.",
		source:      by(wireCounterCOUNTER_OPERATIONS),
		field:       func(s *Stats) *uint64 { return &s.Operations },
	},
	{
		Name: "spans_emitted", Unit: "{span}",
		Description: "Spans that the next consumer accepted.",
		field:       func(s *Stats) *uint64 { return &s.Emitted },
	},
	{
		Name: "not_sampled", Unit: "{operation}",
		Description: "Operations without a span since their trace is not sampled.",
		source:      ends(wireCounterCOUNTER_NOT_SAMPLED),
		field:       func(s *Stats) *uint64 { return &s.NotSampled },
	},
	{
		Name: "discarded", Unit: "{operation}",
		Description: "Operations that turned out to be none, or are counted as another: " +
			"upgrades to HTTP/2 without TLS, " +
			"requests that become calls of another library, " +
			"what a server answers without its handler, and calls that are self_traced.",
		source: ends(wireCounterCOUNTER_DISCARDED, wireCounterCOUNTER_SELF_TRACED),
		field:  func(s *Stats) *uint64 { return &s.Discarded },
	},
	{
		Name: "self_traced", Unit: "{operation}",
		Description: "Calls that carry a traceparent which the program itself gave them, " +
			"and so spans of its own; they are among the discarded ones.",
		source: by(wireCounterCOUNTER_SELF_TRACED),
		field:  func(s *Stats) *uint64 { return &s.SelfTraced },
	},
	{
		Name: "injected", Unit: "{request}",
		Description: "Requests that carry a traceparent header which the receiver has written.",
		source:      by(wireCounterCOUNTER_INJECTED),
		field:       func(s *Stats) *uint64 { return &s.Injected },
	},
	{
		Name: "not_injected", Unit: "{request}",
		Description: "Requests that should carry a traceparent header and do not, " +
			"since there was no room for it or its place was not found.",
		source: by(wireCounterCOUNTER_NOT_INJECTED),
		field:  func(s *Stats) *uint64 { return &s.NotInjected },
	},
	{
		Name: "tracestates_not_injected", Unit: "{request}",
		Description: "Requests that carry a traceparent header which the receiver has written, " +
			"and not the tracestate of their trace, " +
			"and requests that came with one that cannot be passed on.",
		source: by(wireCounterCOUNTER_TRACESTATES_NOT_INJECTED),
		field:  func(s *Stats) *uint64 { return &s.TracestatesNotInjected },
	},
	{
		Name: "spans_lost", Unit: "{span}",
		Description: "Operations that should have had a span and have none, by reason and service.",
		Reasons: []Reason{
			{LostRingBufferFull, ends(wireCounterCOUNTER_LOST_RING_BUFFER_FULL)},
			{LostActiveSpansFull, ends(wireCounterCOUNTER_LOST_ACTIVE_SPANS_FULL)},
			{LostUnreadable, ends(wireCounterCOUNTER_LOST_UNREADABLE)},
			{LostUnsupported, ends(wireCounterCOUNTER_LOST_UNSUPPORTED)},
			{LostUnfinished, ends(wireCounterCOUNTER_LOST_UNFINISHED)},
			{LostShutdown, ends()},
			// The kernel has sent a record of these.
			{LostProcessUnknown, source{}},
			{LostNotTarget, source{}},
			{LostMalformed, source{}},
			{LostRefused, source{}},
		},
		reasons:  func(s *Stats) map[ReasonName]uint64 { return s.Lost },
		services: func(s *Stats) map[Loss]uint64 { return s.LostOf },
	},
	{
		Name: "spans_degraded", Unit: "{span}",
		Description: "Spans that lack something that was there, by reason.",
		Reasons: []Reason{
			{DegradedUnreadable, by(wireCounterCOUNTER_DEGRADED_UNREADABLE)},
			{DegradedHeaders, by(wireCounterCOUNTER_DEGRADED_HEADERS)},
			{DegradedUnknownConnection, by(wireCounterCOUNTER_DEGRADED_UNKNOWN_CONNECTION)},
			{DegradedAmbiguousParent, by(wireCounterCOUNTER_DEGRADED_AMBIGUOUS_PARENT)},
			{DegradedUnknownContext, by(wireCounterCOUNTER_DEGRADED_UNKNOWN_CONTEXT)},
			{DegradedEvictedParent, by(wireCounterCOUNTER_DEGRADED_EVICTED_PARENT)},
		},
		reasons: func(s *Stats) map[ReasonName]uint64 { return s.Degraded },
	},
	{
		Name: "attach_failures", Unit: "{executable}",
		Description: "Executables of targets that could not be traced, wholly or in part.",
		field:       func(s *Stats) *uint64 { return &s.AttachFailures },
	},
	{
		Name: "executables_left_alone", Unit: "{executable}",
		Description: "Executables of targets that are not traced " +
			"since they contain OpenTelemetry's SDK.",
		field: func(s *Stats) *uint64 { return &s.ExecutablesLeftAlone },
	},
	{
		Name: "preparations_delayed", Unit: "{preparation}",
		Description: "Times that the executable of a target was not examined at once, " +
			"since that was done again and again.",
		field: func(s *Stats) *uint64 { return &s.PreparationsDelayed },
	},
	{
		Name: "events_lost", Unit: "{event}",
		Description: "Events on processes that found no room; the next scan finds what they told.",
		source:      by(wireCounterCOUNTER_EVENTS_LOST),
		field:       func(s *Stats) *uint64 { return &s.EventsLost },
	},
	{
		Name: "probe_hits", Unit: "{hit}",
		Description: "Times that a probe ran for a traced process.",
		source:      by(wireCounterCOUNTER_PROBE_HITS),
		field:       func(s *Stats) *uint64 { return &s.ProbeHits },
	},
	{
		Name: "processes", Unit: "{process}", Gauge: true,
		Description: "Processes being traced.",
		gauge:       func(s *Stats) *int { return &s.Processes },
	},
	{
		Name: "executables", Unit: "{executable}", Gauge: true,
		Description: "Executable files with probes in them.",
		gauge:       func(s *Stats) *int { return &s.Executables },
	},
	{
		Name: "active", Unit: "{operation}", Gauge: true,
		Description: "Operations in flight.",
		gauge:       func(s *Stats) *int { return &s.Active },
	},
}

// Observe hands on what the metric says, for each reason and service that it has; "" stands for
// none.
func (m *Metric) Observe(s *Stats, value func(n int64, of Loss)) {
	switch {
	case m.gauge != nil:
		value(int64(*m.gauge(s)), Loss{})
	case m.field != nil:
		value(int64(*m.field(s)), Loss{})
	case m.services != nil:
		for loss, n := range m.services(s) {
			value(int64(n), loss)
		}
	default:
		for reason, n := range m.reasons(s) {
			value(int64(n), Loss{Reason: reason})
		}
	}
}

// ByService tells whether the metric has an attribute "service" besides.
func (m *Metric) ByService() bool { return m.services != nil }

// Each gives how many operations a process has lost, by reason.
func (l *LostOperations) Each(lost func(reason ReasonName, n uint64)) {
	for i, n := range l.N {
		lost(lossReasons[i], n)
	}
}

// Less is what was lost since an earlier reading.
func (l LostOperations) Less(earlier LostOperations) LostOperations {
	for i, n := range earlier.N {
		l.N[i] -= n
	}
	return l
}

// LossReasons are the reasons for which the kernel counts losses by process.
func LossReasons() []ReasonName { return slices.Clone(lossReasons[:]) }

// lossReasons has them in the order of LostOperations.
var lossReasons = func() (names [len(LostOperations{}.N)]ReasonName) {
	for i := range names {
		for _, m := range Metrics {
			for _, reason := range m.Reasons {
				if slices.Contains(reason.kernel, wireCounterFIRST_LOSS+Counter(i)) {
					names[i] = reason.Name
				}
			}
		}
	}
	return names
}()

// sum adds up the kernel's counters.
func (c *source) sum(kernel *Counts) (n uint64) {
	for _, counter := range c.kernel {
		n += kernel.N[counter]
	}
	return n
}
