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
		t.Errorf(
			"sampled: %t, misses hooks: %t, remote parent: %t",
			got.Sampled(),
			got.MissesHooks(),
			got.RemoteParent(),
		)
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

func TestAPeerIsReadAsTheProgramsLayItOut(t *testing.T) {
	want := Peer{Address: [16]uint8{192, 0, 2, 7}, Port: 8080, Kind: PeerIPv4}
	var record bytes.Buffer
	if err := binary.Write(&record, binary.LittleEndian, want); err != nil {
		t.Fatal(err)
	}
	if got, ok := ParsePeer(record.Bytes()); !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, ok := ParsePeer(record.Bytes()[1:]); ok {
		t.Error("a part of a peer is one")
	}
}

func TestATracestateIsKeptAsTheProgramsKeepIt(t *testing.T) {
	kept, err := KeepTracestate("ot=th:8")
	if err != nil || kept.Length != 7 || kept.Text[0] != 'o' || kept.Text[6] != '8' ||
		kept.Text[7] != 0 {
		t.Errorf("%+v, %v", kept, err)
	}
	if _, err := KeepTracestate(string(make([]byte, TracestateLimit+1))); err == nil {
		t.Error("a tracestate that is too long is kept")
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
