package sampling

import "strings"

// Bounds on a tracestate: W3C Trace Context, section 3.3.
const (
	maxMembers = 32
	maxValue   = 256 // bytes of one member's value
)

// TraceState returns the tracestate of a span on which the sampler has decided. It is the one that
// the span came with, "" for a root, in which OpenTelemetry's member says the threshold as th. It
// says none if the trace's random bits contradict the threshold, or if there is no room: nobody
// knows then how many other spans this one stands for.
func (s Sampler) TraceState(traceID [16]byte, state string) string {
	ot, members := cut(state)
	var pairs []string
	for _, pair := range strings.Split(ot, ";") {
		if key, _, _ := strings.Cut(pair, ":"); pair != "" && key != "th" {
			pairs = append(pairs, pair)
		}
	}
	value := strings.Join(pairs, ";")
	if s.Threshold.Samples(random(traceID, ot)) {
		if with := strings.Join(append(pairs, "th:"+s.Threshold.String()), ";"); len(
			with,
		) <= maxValue {
			value = with
		}
	}
	if value != "" { // what was changed goes first, and what is too much is the last
		members = append([]string{"ot=" + value}, members...)
	}
	return strings.Join(members[:min(len(members), maxMembers)], ",")
}

// RootState is the tracestate of a root: "" if all are sampled.
func (s Sampler) RootState() string {
	if s.Threshold == Always {
		return ""
	}
	return "ot=th:" + s.Threshold.String()
}

// cut takes a tracestate apart: the value of OpenTelemetry's member, and all others.
func cut(state string) (ot string, others []string) {
	for _, member := range strings.Split(state, ",") {
		member = strings.Trim(member, " \t")
		if value, ok := strings.CutPrefix(member, "ot="); ok {
			ot = value
		} else if member != "" {
			others = append(others, member)
		}
	}
	return ot, others
}

// subKey finds the value of a key in OpenTelemetry's member.
func subKey(ot, key string) (string, bool) {
	for _, pair := range strings.Split(ot, ";") {
		if name, value, ok := strings.Cut(pair, ":"); ok && name == key {
			return value, true
		}
	}
	return "", false
}
