package chain

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// whole are the spans of so many requests, as they should be.
func whole(requests int, ownOfThird bool) []span {
	var all []span
	next := uint64(1 << 32)
	newID := func() (id pcommon.SpanID) {
		next++
		binary.BigEndian.PutUint64(id[:], next)
		return id
	}
	for request := range requests {
		trace, parent := pcommon.TraceID{15: byte(request), 0: 1}, pcommon.SpanID{}
		if sent, ok := remote(request); ok {
			mustDecode(trace[:], sent.Trace)
			mustDecode(parent[:], sent.Span)
		}
		add := func(step, message int, parent pcommon.SpanID) pcommon.SpanID {
			s := span{
				trace: trace, id: newID(), parent: parent, step: int8(step),
				message: int8(message), request: int32(request),
			}
			all = append(all, s)
			return s.id
		}
		for step := range firstOfMessages {
			if ownOfThird && step == ownCall {
				sent := own(request)
				mustDecode(trace[:], sent.Trace)
				mustDecode(parent[:], sent.Span)
				continue
			}
			parent = add(step, 0, parent)
		}
		for message := range messages {
			add(firstOfMessages+1, message, add(firstOfMessages, message, parent))
		}
	}
	return all
}

func mustDecode(to []byte, text string) {
	if _, err := hex.Decode(to, []byte(text)); err != nil {
		panic(err)
	}
}

// find is the first span of a request and a step that tell which they are.
func find(all []span, request int32, step int8) *span {
	for i := range all {
		if all[i].request == request && all[i].step == step {
			return &all[i]
		}
	}
	panic("no such span")
}

func TestTheAccountOfWholeTracesIsClean(t *testing.T) {
	for ownOfThird, traces := range map[bool]int{false: 8, true: 16} {
		a := newAccount(whole(8, ownOfThird), answeredWell, ownOfThird)
		if a.wrong() != 0 || a.complete != traces || a.sum(func(s stepAccount) int {
			return s.missing + s.orphans + s.dangling
		}) != 0 {
			t.Error(a)
		}
	}
}

// The request behind a call that the program has a span of itself.
func TestTheAccountFindsWhatIsWrongBehindASpanOfTheProgram(t *testing.T) {
	for name, c := range map[string]struct {
		change func(one, other *span)
		found  func(a *account) int
	}{
		"its parent is another's": {func(one, other *span) {
			one.parent = other.parent
		}, func(a *account) int { return a.steps[ownCall+1].misplaced }},
		"it has no parent": {func(one, _ *span) {
			one.parent = pcommon.SpanID{}
		}, func(a *account) int { return a.steps[ownCall+1].orphans }},
		"it has the whole trace of another": {func(one, other *span) {
			one.trace, one.parent = other.trace, other.parent
		}, func(a *account) int { return a.mixed }},
	} {
		t.Run(name, func(t *testing.T) {
			all := whole(8, true)
			c.change(find(all, 1, ownCall+1), find(all, 2, ownCall+1))
			if a := newAccount(all, answeredWell, true); c.found(a) != 1 || a.complete != 16-1 &&
				a.complete != 16-2 {
				t.Error(a)
			}
		})
	}
}

var answeredWell = []bool{true, true, true, true, true, true, true, true}

func TestTheAccountFindsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(all []span) []span
		found  func(a *account) int
	}{
		"the parent is of another request": {
			func(all []span) []span {
				find(all, 1, 4).parent = find(all, 2, 3).id
				return all
			},
			func(a *account) int { return a.steps[4].misplaced },
		},
		"two requests have changed places from a call on": {
			func(all []span) []span {
				one, two := find(all, 1, 3), find(all, 2, 3)
				one.parent, two.parent = two.parent, one.parent
				for i := range all {
					if s := &all[i]; s.step >= 3 && (s.request == 1 || s.request == 2) {
						s.trace = find(all, 3-s.request, 0).trace
					}
				}
				return all
			},
			func(a *account) int { return a.mixed / 2 },
		},
		"a parent that nobody has sent": {
			func(all []span) []span {
				find(all, 1, 0).parent = find(all, 2, 0).id
				return all
			},
			func(a *account) int { return a.steps[0].misplaced },
		},
		"no parent": {
			func(all []span) []span {
				find(all, 1, 7).parent = pcommon.SpanID{}
				return all
			},
			func(a *account) int { return a.steps[7].orphans },
		},
		"the call of another message": {
			func(all []span) []span {
				s := find(all, 1, 10)
				s.message = 1
				return all
			},
			func(a *account) int { return a.steps[10].misplaced },
		},
		"a span is missing": {
			func(all []span) []span {
				missing := find(all, 1, 10).id
				return slices.DeleteFunc(all, func(s span) bool { return s.id == missing })
			},
			func(a *account) int { return a.steps[10].missing },
		},
		"a span came twice": {
			func(all []span) []span { return append(all, *find(all, 1, 10)) },
			func(a *account) int { return a.repeated },
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(c.change(whole(8, false)), answeredWell, false)
			if c.found(a) != 1 || a.complete > 7 {
				t.Error(a)
			}
		})
	}
}
