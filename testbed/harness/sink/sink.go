// Package sink receives spans as a backend does, over OTLP and gRPC, for tests
// and measurements: it counts them, and keeps them if it is asked to.
package sink

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	// what a Collector's exporter compresses with by default
	_ "google.golang.org/grpc/encoding/gzip"

	"github.com/spanprobe/spanprobe/testbed/harness/await"
	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

// maxMessage is above what a batch of the batch processor's default size, 8192
// spans, can be; gRPC's own limit of 4 MiB is not.
const maxMessage = 64 << 20

// Sink is an OTLP/gRPC server for traces. All of it is safe for concurrent use.
type Sink struct {
	ptraceotlp.UnimplementedGRPCServer

	server  *grpc.Server
	address string
	keep    bool

	mu     sync.Mutex
	counts map[string]int // spans by service.name
	spans  []spans.Span
}

// Start starts a sink that counts spans, and keeps them if it is to.
func Start(keep bool) (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	s := &Sink{
		server:  grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage)),
		address: listener.Addr().String(),
		keep:    keep,
		counts:  map[string]int{},
	}
	ptraceotlp.RegisterGRPCServer(s.server, s)
	// Serve fails only if the listener does, which Stop closes.
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Stop ends the sink at once. What it has received stays.
func (s *Sink) Stop() { s.server.Stop() }

// Address is where it listens, as host:port.
func (s *Sink) Address() string { return s.address }

// Count is how many spans have arrived.
func (s *Sink) Count() (total int) {
	for _, n := range s.Counts() {
		total += n
	}
	return total
}

// Counts is how many spans have arrived, by the service.name of their resource.
func (s *Sink) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Spans returns the spans that were kept, in the order in which they arrived.
func (s *Sink) Spans() []spans.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// Reset forgets all that has arrived.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts, s.spans = map[string]int{}, nil
}

// Await waits until n spans have arrived in all. The error says how many have.
func (s *Sink) Await(ctx context.Context, n int) error {
	err := await.Until(ctx, func(context.Context) error {
		if count := s.Count(); count < n {
			return fmt.Errorf("%d of %d spans arrived", count, n)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return err
}

// Export takes one batch of spans, which it may keep: the message was decoded for this call alone.
func (s *Sink) Export(
	_ context.Context, request ptraceotlp.ExportRequest,
) (ptraceotlp.ExportResponse, error) {
	traces := request.Traces()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range traces.ResourceSpans().All() {
		name := ""
		if value, ok := resource.Resource().Attributes().Get("service.name"); ok {
			name = value.AsString()
		}
		for _, scope := range resource.ScopeSpans().All() {
			s.counts[name] += scope.Spans().Len()
		}
	}
	if s.keep {
		s.spans = append(s.spans, spans.Of(traces)...)
	}
	return ptraceotlp.NewExportResponse(), nil
}
