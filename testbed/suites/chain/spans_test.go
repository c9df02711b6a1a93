package chain

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// step is one of the spans that a request has on its way, from the first to the last.
type step struct {
	service string
	kind    ptrace.SpanKind
	name    string // of the span; "": that of its path, which is a gRPC method
	path    string // what is before the id
}

const messages = 2 // that the stream has, each with a call

var (
	server, client = ptrace.SpanKindServer, ptrace.SpanKindClient

	// steps are in order: the parent of each is the one before.
	steps = []step{
		{"hop1", server, "GET", "/hop1/"},
		{"hop1", client, "", "/hop2/"},
		{"hop2", server, "", "/hop2/"},
		{"hop2", client, "GET", "/hop3/"},
		{"hop3", server, "GET", "/hop3/"},
		{"hop3", client, "GET", "/hop4/"},
		{"hop4", server, "GET", "/hop4/"},
		{"hop4", client, "", "/chain/"},
		{"hop5", server, "", "/chain/"},
		{"hop5", client, "GET", "/hop6/"}, // from here on there is one for each message
		{"hop6", server, "GET", "/hop6/"},
	}
)

const (
	firstOfMessages = 9
	ownCall         = 5 // which the service may have a span of itself
)

// span is what is kept of one: there are more than a million.
type span struct {
	trace      pcommon.TraceID
	id, parent pcommon.SpanID
	step       int8
	message    int8
	request    int32
	right      bool // its parent, when that was judged
}

// spans are those that came out.
type spans struct {
	mu      sync.Mutex
	all     []span
	failure error // the first one that is none of the chain's
}

func newSpans() *spans { return &spans{} }

func (s *spans) consume(_ context.Context, traces ptrace.Traces) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range traces.ResourceSpans().All() {
		service := ""
		if value, ok := resource.Resource().Attributes().Get("service.name"); ok {
			service = value.AsString()
		}
		for _, scope := range resource.ScopeSpans().All() {
			for _, came := range scope.Spans().All() {
				one, err := placed(service, came)
				if err != nil {
					if s.failure == nil {
						s.failure = err
					}
					continue
				}
				s.all = append(s.all, one)
			}
		}
	}
	return nil
}

// placed finds out which step of which request a span is.
func placed(service string, came ptrace.Span) (span, error) {
	one := span{trace: came.TraceID(), id: came.SpanID(), parent: came.ParentSpanID()}
	path := pathOf(came.Attributes())
	for i, s := range steps {
		if s.service != service || s.kind != came.Kind() || !strings.HasPrefix(path, s.path) {
			continue
		}
		if s.name != "" && came.Name() != s.name || s.name == "" && came.Name() != path[1:] {
			continue
		}
		one.step = int8(i)
		id, message, ofMessage := strings.Cut(strings.TrimPrefix(path, s.path), "/")
		request, err := strconv.ParseInt(id, 10, 32)
		if err != nil || ofMessage != (i >= firstOfMessages) {
			break
		}
		one.request = int32(request)
		if ofMessage {
			n, err := strconv.ParseInt(message, 10, 8)
			if err != nil {
				break
			}
			one.message = int8(n)
		}
		return one, nil
	}
	return span{}, fmt.Errorf("%s: %s %q of %s is no step of the chain", service, came.Kind(),
		came.Name(), path)
}

// pathOf is that of a span's URL, or of its gRPC method.
func pathOf(attributes pcommon.Map) string {
	if value, ok := attributes.Get("url.path"); ok {
		return value.AsString()
	}
	if value, ok := attributes.Get("url.full"); ok {
		full, err := url.Parse(value.AsString())
		if err == nil {
			return full.Path
		}
	}
	if value, ok := attributes.Get("rpc.method"); ok {
		return "/" + value.AsString()
	}
	return ""
}
