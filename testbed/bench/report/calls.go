package report

import (
	"fmt"
	"strings"
)

// words are what the tables of a mode speak of.
type words struct{ each, program string }

var (
	ofRequests = words{"request", "server"}
	ofCalls    = words{"call", "program"}
)

// writeCalls writes what each kind of call showed.
func (r *Run) writeCalls(b *strings.Builder) {
	begun := false
	for _, kind := range kindsOfCalls {
		if !r.measured(kind) {
			continue
		}
		if !begun {
			begun = true
			fmt.Fprintf(b, "### Calls\n\nWhat is measured is a program that makes calls, %d at a time, or a server of gRPC. HTTP/1.1 goes over connections that stay\n"+
				"open, gRPC over one. A stream has one message to the server and three from it. What it takes to make each call at its time is part of\nwhat a client uses.\n\n", r.Settings.Connections)
		}
		fmt.Fprintf(b, "#### %s, at %s calls a second\n\n", kind, thousands(r.Settings.CallRates[kind]))
		r.writeAtARate(b, kind, ofCalls)
		r.writeNotHeld(b, kind)
	}
}
