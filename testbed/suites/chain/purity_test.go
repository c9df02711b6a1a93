package chain

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/netns"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

func TestARequestThroughSixServicesIsOneTrace(t *testing.T) {
	c := start(t, where{}, form{})
	c.expectWhole(t, c.load(t, *requests))
}

// Each request has connections of its own, of which there are only so many.
func TestARequestThroughSixServicesIsOneTraceWithoutKeepAlive(t *testing.T) {
	c := start(t, where{}, form{close: true})
	c.expectWhole(t, c.load(t, *requests/5))
}

func TestARequestThroughTwoNamespacesIsOneTrace(t *testing.T) {
	a, b := netns.New(t), netns.New(t)
	netns.Join(t, a, b, "10.99.0.1/24", "10.99.0.2/24")
	c := start(t, where{[]netns.Namespace{a, b}, []string{"10.99.0.1", "10.99.0.2"}}, form{})
	c.expectWhole(t, c.load(t, *requests))
}

// A service in the middle traces itself, as with the SDK: what it calls is below its own span,
// which is another trace than that of its request, since nobody has told it of that.
func TestAServiceThatTracesItselfBeginsATraceThatIsWhole(t *testing.T) {
	c := start(t, where{}, form{own: true})
	answered := c.load(t, *requests/5)
	c.expectWhole(t, answered)
	if stats := c.MustStats(t); int(stats.SelfTraced) != len(answered) {
		t.Errorf("%d calls are counted as the program's own, of %d requests", stats.SelfTraced,
			len(answered))
	}
}

// Requests that are cut may lack spans; what there is of them is right.
func TestServicesThatAreRestartedGiveNoWrongParent(t *testing.T) {
	c := start(t, where{}, form{})
	answered := c.load(t, *requests, func() { c.restart(t, 2) }, func() { c.restart(t, 4) })
	a := c.account(t, answered)
	missing, lost := a.sum(func(s stepAccount) int { return s.missing }), c.lost(t)
	if missing > lost {
		t.Errorf(
			"%d spans of requests that were answered well are missing, %d were counted as lost",
			missing, lost,
		)
	}
	if dangling := a.sum(func(s stepAccount) int { return s.dangling }); dangling > lost*messages {
		t.Errorf("%d spans have a parent that did not come, although only %d were lost", dangling,
			lost)
	}
}

// expectWhole expects that all requests were answered well, and each is a whole trace, but
// for spans that were counted as lost, and parents that were counted as not found.
func (c *chain) expectWhole(t *testing.T, answered []bool) {
	t.Helper()
	for id, ok := range answered {
		if !ok {
			t.Fatalf("request %d was not answered well", id)
		}
	}
	a := c.account(t, answered)
	missing, lost := a.sum(func(s stepAccount) int { return s.missing }), c.lost(t)
	if missing != lost {
		t.Errorf("%d spans are missing, %d were counted as lost", missing, lost)
	}
	orphans := a.sum(func(s stepAccount) int { return s.orphans })
	if incomplete := len(answered)*a.traces() - a.complete; incomplete > missing+orphans {
		t.Errorf(
			"%d of %d traces of requests are not whole, although only %d spans are missing and %d have no parent",
			incomplete,
			len(answered)*a.traces(),
			missing,
			orphans,
		)
	}
	if dangling := a.sum(func(s stepAccount) int {
		return s.dangling
	}); dangling > missing*messages {
		t.Errorf("%d spans have a parent that did not come, although only %d spans are missing",
			dangling, missing)
	}
}

// account expects that nothing that came is wrong.
func (c *chain) account(t *testing.T, answered []bool) *account {
	t.Helper()
	stats := c.Settle(t)
	c.spans.mu.Lock()
	defer c.spans.mu.Unlock()
	if c.spans.failure != nil {
		t.Error(c.spans.failure)
	}
	if int(stats.Emitted) != len(c.spans.all) {
		t.Errorf("%d spans were emitted, %d came", stats.Emitted, len(c.spans.all))
	}
	a := newAccount(c.spans.all, answered, c.form.own)
	t.Logf("%s\n%d operations, %d lost: %v", a, stats.Operations, tracing.Lost(stats), stats.Lost)
	if n := a.wrong(); n != 0 {
		t.Errorf("%d spans or traces are wrong", n)
	}
	n, counted := a.sum(func(s stepAccount) int { return s.orphans }), c.unknownConnections(t)
	if n > counted {
		t.Errorf("%d spans have no parent, only %d connections could not be told", n, counted)
	}
	if n > 1+len(answered)/10_000 {
		t.Errorf("%d spans have no parent, though they are counted", n)
	}
	cut := 0
	for _, ok := range answered {
		if !ok {
			cut++
		}
	}
	for i, s := range a.steps {
		if s.cutOff > cut*a.wanted(i) {
			t.Errorf("%d spans of %s have no parent, only %d requests were cut", s.cutOff, steps[i],
				cut)
		}
	}
	return a
}

func (c *chain) lost(t *testing.T) int {
	t.Helper()
	return int(tracing.Lost(c.MustStats(t)))
}

func (c *chain) unknownConnections(t *testing.T) int {
	t.Helper()
	return int(c.MustStats(t).Degraded[engine.DegradedUnknownConnection])
}
