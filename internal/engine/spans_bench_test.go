//go:build linux && (amd64 || arm64)

package engine

import (
	"context"
	"encoding/binary"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/zap"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/internal/assemble"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/traces"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// BenchmarkARecordOnItsWayToTheConsumer measures what one span costs the
// collector between the ring buffer and the next component.
func BenchmarkARecordOnItsWayToTheConsumer(b *testing.B) {
	known := newRegistry()
	known.put(
		processKey{1, 1},
		traces.NewResource(
			&model.Process{PID: 1, Exe: "/bin/server", ServiceName: "server"}, "1.26.8", "host",
			"1",
		),
	)
	spans, name := 0, ""
	reader := newSpanReader(b.Context(), Settings{
		Logger: zap.NewNop(), Libraries: all.Libraries(),
		Consume: func(_ context.Context, t traces.Traces) error {
			spans += t.SpanCount()
			name = t.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name()
			return nil
		},
	}, assemble.New(all.Libraries(), probe.DecodeOptions{Query: QueryRedact}, Sampler{}), known, newCounts(), func(missingHooks) {}, time.Now().UnixNano())
	record := exampleRecord()
	b.ReportAllocs()
	for b.Loop() {
		reader.handle(record)
	}
	reader.drained()
	if spans != b.N {
		b.Fatalf("%d spans of %d records", spans, b.N)
	}
	if name != "GET /hello/{name}" {
		b.Fatalf("a span is called %q: the record is not laid out as the programs' are", name)
	}
}

// exampleRecord is what the programs send for an ordinary request. The texts'
// lengths lie behind the fixed fields; see bpf/nethttp/request.h.
func exampleRecord() []byte {
	var head wire.SpanHead
	texts := []string{
		"",
		"GET",
		"/hello/world",
		"127.0.0.1:8080",
		"127.0.0.1:45678",
		"Go-http-client/1.1",
		"GET /hello/{name}",
	}
	// addresses; then status, protocol, flags, used, whose trace
	const fixed = int(unsafe.Sizeof(head)) + 4*8
	record := make([]byte, fixed+12, 1024)
	binary.LittleEndian.PutUint64(record[unsafe.Offsetof(head.Start):], 1)
	binary.LittleEndian.PutUint64(record[unsafe.Offsetof(head.End):], 2)
	binary.LittleEndian.PutUint32(record[unsafe.Offsetof(head.Tgid):], 1)
	binary.LittleEndian.PutUint32(record[unsafe.Offsetof(head.Generation):], 1)
	record[unsafe.Offsetof(head.TraceId)], record[unsafe.Offsetof(head.SpanId)] = 1, 1
	binary.LittleEndian.PutUint16(record[fixed:], 200)
	record[fixed+2], record[fixed+3] = 1, 1
	for _, text := range texts {
		record = binary.LittleEndian.AppendUint16(record, uint16(len(text)))
		record = binary.LittleEndian.AppendUint16(record, uint16(len(text)))
	}
	for len(record)%8 != 0 {
		record = append(record, 0)
	}
	for _, text := range texts {
		record = append(record, text...)
	}
	return record
}
