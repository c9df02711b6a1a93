package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
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

// exchange is a call that was made.
type exchange struct {
	call
	trace pcommon.TraceID // which its traceparent named, zero if it had none
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
		request.Header.Set("traceparent", fmt.Sprintf("00-%s-%.16s-01", e.trace, e.trace))
	}

	response, err := client.Do(request)
	if err != nil {
		return e, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return e, fmt.Errorf("%s %s: %w", c.Method, c.Target, err)
	}
	if response.StatusCode != c.Status {
		return e, fmt.Errorf("%s %s: %s where %d was due: %.200s",
			c.Method, c.Target, response.Status, c.Status, answer)
	}
	return e, nil
}
