package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"
)

//go:embed traffic.yaml
var trafficText []byte

// traffic is what is sent to the shop.
type traffic struct {
	// Hops are calls between services, by what leads to them.
	Hops map[string]string
	// Visit brings every service something to do.
	Visit []call
	// Calls are those that are counted. The last one is drawn.
	Calls []call
}

// readTraffic can fail for no run: the text is part of the program.
var readTraffic = sync.OnceValue(func() (all traffic) {
	if err := yaml.Unmarshal(trafficText, &all); err != nil {
		panic(err)
	}
	return all
})

// call is a request to the entry, and what it should come to.
type call struct {
	Method, Target, Body string
	Span                 string // name of the entry's span: the method, and the route if any
	Status               int
	Hops                 []string // the calls between services that it leads to
}

// nodes are the spans that the call leads to, in all services. The first is that of the entry.
func (c call) nodes() []node {
	served := outcome{entry, ptrace.SpanKindServer, c.Span, strconv.Itoa(c.Status)}
	return follow(node{outcome: served, id: pcommon.SpanID{7: 1}}, c.Hops)
}

// exchange is a call that was made.
type exchange struct {
	call
	sent time.Time
	took time.Duration // until the whole answer had been read
	// trace and parent are what its traceparent said, zero if it had none.
	trace  pcommon.TraceID
	parent pcommon.SpanID
}

// make makes the call, and fails if the answer is another than it should be. With traced, the
// request carries the context of a trace of its own.
func (c call) make(ctx context.Context, shop string, traced bool) (exchange, error) {
	e := exchange{call: c}
	body := strings.NewReader(c.Body)
	request, err := http.NewRequestWithContext(ctx, c.Method, shop+c.Target, body)
	if err != nil {
		return e, err
	}
	request.Header.Set("User-Agent", "spanprobe-demo")
	if traced {
		// crypto/rand.Read never fails since Go 1.24.
		rand.Read(e.trace[:])
		rand.Read(e.parent[:])
		request.Header.Set("traceparent", fmt.Sprintf("00-%s-%s-01", e.trace, e.parent))
	}

	e.sent = time.Now()
	response, err := client.Do(request)
	if err != nil {
		return e, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	e.took = time.Since(e.sent)
	if err != nil {
		return e, fmt.Errorf("%s %s: %w", c.Method, c.Target, err)
	}
	if response.StatusCode != c.Status {
		return e, fmt.Errorf("%s %s: %s where %d was due: %.200s",
			c.Method, c.Target, response.Status, c.Status, answer)
	}
	return e, nil
}
