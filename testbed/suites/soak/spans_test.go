package soak

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/targets/soak/tally"
)

// counted are the spans that came out: how many of each class, not what they are.
type counted struct {
	mu      sync.Mutex
	numbers map[origin]*[tally.Classes]uint64
	hostile int64  // process
	flood   uint64 // of the hostile process
	failure error  // the last span that is none of these
}

// origin is where spans come from.
type origin struct {
	pid  int64
	kind ptrace.SpanKind
}

func newCounted() *counted { return &counted{numbers: map[origin]*[tally.Classes]uint64{}} }

func (c *counted) consume(_ context.Context, traces ptrace.Traces) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.count(traces)
	if err != nil {
		c.failure = err
	}
	return err
}

func (c *counted) count(traces ptrace.Traces) error {
	for _, resource := range traces.ResourceSpans().All() {
		pid, ok := resource.Resource().Attributes().Get("process.pid")
		if !ok {
			return fmt.Errorf("a resource without process.pid: %v",
				resource.Resource().Attributes().AsRaw())
		}
		for _, scope := range resource.ScopeSpans().All() {
			if pid.Int() == c.hostile {
				c.flood += uint64(scope.Spans().Len())
				continue
			}
			for _, span := range scope.Spans().All() {
				class, err := classOf(span.Attributes())
				if err != nil {
					return err
				}
				from := origin{pid.Int(), span.Kind()}
				if c.numbers[from] == nil {
					c.numbers[from] = new([tally.Classes]uint64)
				}
				c.numbers[from][class]++
			}
		}
	}
	return nil
}

// classOf tells a span's class by its method, or its path.
func classOf(attributes pcommon.Map) (tally.Class, error) {
	name := ""
	if method, ok := attributes.Get("rpc.method"); ok {
		name = strings.TrimPrefix(method.Str(), tally.Service+"/")
	} else if path, ok := attributes.Get("url.path"); ok {
		name, _, _ = strings.Cut(strings.TrimPrefix(path.Str(), "/"), "/")
	} else if full, ok := attributes.Get("url.full"); ok {
		u, err := url.Parse(full.Str())
		if err != nil {
			return 0, err
		}
		name, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	if class, ok := tally.ClassOf(name); ok {
		return class, nil
	}
	return 0, fmt.Errorf("a span of no class: %v", attributes.AsRaw())
}

// of is how many there are of what a program did.
func (c *counted) of(m *member) [tally.Classes]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.numbers[origin{int64(m.PID), m.kind}]; n != nil {
		return *n
	}
	return [tally.Classes]uint64{}
}

// take is the same, and forgets them.
func (c *counted) take(m *member) [tally.Classes]uint64 {
	n := c.of(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.numbers, origin{int64(m.PID), m.kind})
	return n
}

// forget forgets all that were not taken, and says how many there were.
func (c *counted) forget() (n uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, numbers := range c.numbers {
		for _, of := range numbers {
			n += of
		}
	}
	clear(c.numbers)
	return n, c.failure
}

// expectHostile has the spans of a process counted apart.
func (c *counted) expectHostile(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hostile = int64(pid)
}

// takeHostile is how many spans of the hostile process there are, and forgets them.
func (c *counted) takeHostile() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.flood = 0 }()
	return c.flood
}
