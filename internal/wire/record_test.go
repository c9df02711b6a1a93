package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestAHeadIsReadAsTheProgramsLayItOut(t *testing.T) {
	want := SpanHead{
		Start: 1, End: 2, Goid: 3, G: 4, Tgid: 5, Generation: 6,
		TraceId: [16]byte{15: 7}, SpanId: [8]byte{8}, ParentId: [8]byte{7: 9},
		Flags: 1, Context: ContextMissesHooks, Library: 0x0b0a, Keeping: 12,
	}
	var record bytes.Buffer
	if err := binary.Write(&record, binary.LittleEndian, want); err != nil {
		t.Fatal(err)
	}
	if record.Len() != HeadSize {
		t.Fatalf("%d bytes, a head has %d: it has padding", record.Len(), HeadSize)
	}
	record.WriteString("and what a library adds")
	got, err := ParseHead(record.Bytes())
	if err != nil || got != want {
		t.Errorf("%+v, want %+v; %v", got, want, err)
	}
	if !got.Sampled() || !got.MissesHooks() || got.RemoteParent() {
		t.Errorf("sampled: %t, misses hooks: %t, remote parent: %t", got.Sampled(), got.MissesHooks(), got.RemoteParent())
	}
}

func TestAnEventIsReadAsTheProgramsLayItOut(t *testing.T) {
	want := Event{Kind: EventListen, Tgid: 1, Generation: 2, Port: 8080}
	var record bytes.Buffer
	if err := binary.Write(&record, binary.LittleEndian, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ParseEvent(record.Bytes()); err != nil || got != want {
		t.Errorf("%+v, want %+v; %v", got, want, err)
	}
}

func TestARecordThatIsTooShortIsAnError(t *testing.T) {
	record := make([]byte, HeadSize)
	for n := range record {
		if _, err := ParseHead(record[:n]); err == nil {
			t.Errorf("%d bytes are a head", n)
		}
	}
	for n := range 16 {
		if _, err := ParseEvent(record[:n]); err == nil {
			t.Errorf("%d bytes are an event", n)
		}
	}
}
