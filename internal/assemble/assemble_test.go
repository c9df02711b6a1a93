package assemble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/sampling"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// raw lays a head out as the programs do.
func raw(t *testing.T, head wire.SpanHead) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, head); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func named(name probe.Name) probe.Library {
	return probe.Library{
		Name: name,
		Decode: func(_ []byte, span *model.Span, _ probe.DecodeOptions) error {
			span.Name = string(name)
			return nil
		},
	}
}

func TestAHeadBecomesASpan(t *testing.T) {
	head := wire.SpanHead{
		Start: 100, End: 350, Goid: 7, Tgid: 42, Generation: 9,
		TraceId: [16]byte{1}, SpanId: [8]byte{2}, ParentId: [8]byte{3},
		Flags: 1, Context: wire.ContextRemoteParent, Library: 1,
	}
	got, err := New(
		[]probe.Library{named("one"), named("two")}, probe.DecodeOptions{}, sampling.Sampler{},
	).Span(raw(t, head), 1000)
	if err != nil {
		t.Fatal(err)
	}
	want := &model.Span{
		PID:          42,
		Generation:   9,
		Library:      "two",
		Name:         "two",
		TraceID:      [16]byte{1},
		SpanID:       [8]byte{2},
		ParentID:     [8]byte{3},
		Flags:        1,
		RemoteParent: true,
		Start:        1100,
		End:          1350,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestALibraryIsToldWhatMayBecomeAttributes(t *testing.T) {
	want := probe.DecodeOptions{Query: model.QueryKeep}
	var got probe.DecodeOptions
	library := probe.Library{
		Decode: func(_ []byte, _ *model.Span, options probe.DecodeOptions) error {
			got = options
			return nil
		},
	}
	if _, err := New(
		[]probe.Library{library}, want, sampling.Sampler{},
	).Span(raw(t, wire.SpanHead{}), 0); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAMalformedRecordIsAnError(t *testing.T) {
	failing := probe.Library{
		Name:   "failing",
		Decode: func([]byte, *model.Span, probe.DecodeOptions) error { return errors.New("no") },
	}
	a := New([]probe.Library{failing}, probe.DecodeOptions{}, sampling.Sampler{})
	for name, record := range map[string][]byte{
		"empty":                 nil,
		"short":                 raw(t, wire.SpanHead{})[:wire.HeadSize-1],
		"of no library":         raw(t, wire.SpanHead{Library: 1}),
		"ends before it starts": raw(t, wire.SpanHead{Start: 2, End: 1}),
		"not decodable":         raw(t, wire.SpanHead{}),
	} {
		if _, err := a.Span(record, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestASpanSaysAtWhatThresholdItWasSampled(t *testing.T) {
	library := probe.Library{Decode: func(_ []byte, span *model.Span, _ probe.DecodeOptions) error {
		if span.RemoteParent {
			span.TraceState = "a=1,ot=th:8"
		}
		return nil
	}}
	id := [16]byte{15: 1, 9: 0xf0}
	root := wire.SpanHead{TraceId: id}
	remote := wire.SpanHead{TraceId: id, ParentId: [8]byte{1}, Context: wire.ContextRemoteParent}
	local := wire.SpanHead{TraceId: id, ParentId: [8]byte{1}}
	for name, c := range map[string]struct {
		sampler sampling.Sampler
		head    wire.SpanHead
		want    string
	}{
		"a root":                                  {sampling.Sampler{Threshold: 0xe6660000000000}, root, "ot=th:e666"},
		"a root where all are sampled":            {sampling.Sampler{}, root, ""},
		"a root whose id says otherwise":          {sampling.Sampler{Threshold: 0xf1000000000000}, root, ""},
		"one that follows its parent":             {sampling.Sampler{Threshold: 0xe6660000000000}, remote, "a=1,ot=th:8"},
		"one that does not":                       {sampling.Sampler{Threshold: 0xe6660000000000, IgnoreParent: true}, remote, "ot=th:e666,a=1"},
		"one that does not where all are sampled": {sampling.Sampler{IgnoreParent: true}, remote, "ot=th:0,a=1"},
		"one with a parent in its process":        {sampling.Sampler{Threshold: 0xe6660000000000}, local, ""},
	} {
		span, err := New(
			[]probe.Library{library}, probe.DecodeOptions{}, c.sampler,
		).Span(raw(t, c.head), 0)
		if err != nil {
			t.Fatal(err)
		}
		if span.TraceState != c.want {
			t.Errorf("%s: %q, want %q", name, span.TraceState, c.want)
		}
	}
}

func TestTheWallOffsetTurnsBootTimeIntoTheTimeOfDay(t *testing.T) {
	before := time.Now()
	offset, err := WallOffset()
	if err != nil {
		t.Fatal(err)
	}
	again, err := WallOffset()
	if err != nil {
		t.Fatal(err)
	}
	if apart := time.Duration(offset - again).Abs(); apart > time.Second {
		t.Errorf("two measurements differ by %v", apart)
	}
	if offset <= 0 || offset > before.Add(time.Minute).UnixNano() {
		t.Errorf("the machine would have booted at %v", time.Unix(0, offset))
	}
}
