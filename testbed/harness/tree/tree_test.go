package tree

import (
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// span makes one of a path: times are its own.
func span(
	kind ptrace.SpanKind, path string, trace, id, parent byte, start, end uint64,
) tracing.Span {
	s := tracing.Span{Span: ptrace.NewSpan()}
	s.SetKind(kind)
	s.SetTraceID(pcommon.TraceID{trace})
	s.SetSpanID(pcommon.SpanID{id})
	s.SetParentSpanID(pcommon.SpanID{parent})
	s.SetStartTimestamp(pcommon.Timestamp(start))
	s.SetEndTimestamp(pcommon.Timestamp(end))
	s.Attributes().PutStr("url.path", path)
	return s
}

const (
	server = ptrace.SpanKindServer
	client = ptrace.SpanKindClient
)

func TestWhatIsNotAsWantedIsFound(t *testing.T) {
	request := span(server, "/a", 1, 1, 0, 0, 10)
	other := span(server, "/b", 2, 2, 0, 0, 100)
	below := Want{Name: Called("/a/0"), Parent: Served("/a")}
	open := Want{Name: Called("/a/0"), Parent: Served("/a"), OrNone: true}
	whileIt := Want{Name: Called("/a/0"), Parent: Served("/a"), OrNone: true, While: true}
	root := Want{Name: Called("/a/0")}
	for name, c := range map[string]struct {
		want Want
		got  []tracing.Span
		is   outcome
	}{
		"the parent": {
			below,
			[]tracing.Span{span(client, "/a/0", 1, 3, 1, 1, 2)},
			right,
		},
		"no parent": {
			below,
			[]tracing.Span{span(client, "/a/0", 3, 3, 0, 1, 2)},
			orphaned,
		},
		"no parent in the trace": {
			below,
			[]tracing.Span{span(client, "/a/0", 1, 3, 0, 1, 2)},
			strayed,
		},
		"another parent": {
			below,
			[]tracing.Span{span(client, "/a/0", 2, 3, 2, 1, 2)},
			misled,
		},
		"a parent in another trace": {
			below,
			[]tracing.Span{span(client, "/a/0", 2, 3, 1, 1, 2)},
			strayed,
		},
		"a parent that did not come": {
			below,
			[]tracing.Span{span(client, "/a/0", 1, 3, 9, 1, 2)},
			misled,
		},
		"no span": {below, nil, absent},
		"two spans": {
			below,
			[]tracing.Span{
				span(client, "/a/0", 1, 3, 1, 1, 2),
				span(client, "/a/0", 1, 4, 1, 1, 2),
			},
			repeated,
		},
		"one that nobody wants": {
			below,
			[]tracing.Span{
				span(client, "/a/0", 1, 3, 1, 1, 2),
				span(client, "/a/1", 1, 4, 1, 1, 2),
			},
			unknown,
		},
		"none, which is allowed": {
			open,
			[]tracing.Span{span(client, "/a/0", 3, 3, 0, 1, 2)},
			spared,
		},
		"another, which is never": {
			open,
			[]tracing.Span{span(client, "/a/0", 2, 3, 2, 1, 2)},
			misled,
		},
		"one that lasts": {
			whileIt,
			[]tracing.Span{span(client, "/a/0", 1, 3, 1, 9, 11)},
			right,
		},
		"one that had ended": {
			whileIt,
			[]tracing.Span{span(client, "/a/0", 1, 3, 1, 11, 12)},
			misled,
		},
		"none, as is right": {
			root,
			[]tracing.Span{span(client, "/a/0", 3, 3, 0, 1, 2)},
			right,
		},
		"one where there is to be none": {
			root,
			[]tracing.Span{span(client, "/a/0", 1, 3, 1, 1, 2)},
			misled,
		},
		"none, but in the trace of another": {
			root,
			[]tracing.Span{span(client, "/a/0", 2, 3, 0, 1, 2)},
			strayed,
		},
		"one from elsewhere": {Want{
			Name: Called("/a/0"),
			Remote: Remote{
				"07" + strings.Repeat("00", 15),
				"08" + strings.Repeat("00",
					7),
			},
		}, []tracing.Span{span(client, "/a/0", 7, 3, 8, 1, 2)}, right},
		"another than that from elsewhere": {Want{
			Name: Called("/a/0"),
			Remote: Remote{
				"07" + strings.Repeat("00", 15),
				"09" + strings.Repeat("00",
					7),
			},
		}, []tracing.Span{span(client, "/a/0", 7, 3, 8, 1, 2)}, misled},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(append([]tracing.Span{request, other}, c.got...), Target).Compare("/a/",
				[]Want{c.want})
			if r.counts[c.is] != 1 {
				t.Errorf("not %q: %s", outcomeNames[c.is], r)
			}
			if wellDone := c.is == right || c.is == spared; r.OK() != wellDone {
				t.Errorf("all well: %t\n%s", r.OK(), r)
			}
		})
	}
}

func TestADifferenceIsToldWithBothParentsAndTheirTraces(t *testing.T) {
	spans := []tracing.Span{
		span(server, "/a", 1, 1, 0, 0, 10),
		span(server, "/b", 2, 2, 0, 0, 10),
		span(client, "/a/0", 2, 3, 2, 1, 2),
	}
	text := New(spans, Target).Compare("/a/",
		[]Want{{Name: Called("/a/0"), Parent: Served("/a")}}).String()
	for _, want := range []string{
		"CLIENT /a/0: WITH A WRONG PARENT\n",
		"parent wanted: SERVER /a (span 0100000000000000 of trace 01000000000000000000000000000000)\n",
		"parent found:  SERVER /b (span 0200000000000000 of trace 02000000000000000000000000000000)\n",
		"  trace 02000000000000000000000000000000\n    SERVER /b  span 0200000000000000",
		"\n      CLIENT /a/0  span 0300000000000000",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
