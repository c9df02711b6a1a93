package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// call is a request to the entry, and what it should come to.
type call struct {
	method, target, body string
	route                string // the pattern that serves it, without the method; "" when none does
	status               int
	hops                 []hop // the calls between services that it leads to
}

// spanName is what the HTTP conventions name the call's server span.
func (c call) spanName() string {
	if c.route == "" {
		return c.method
	}
	return c.method + " " + c.route
}

// node is a span that a call leads to.
type node struct {
	outcome
	parent int // which of the call's nodes; none for the first, whose parent is the call itself
}

const none = -1

// nodes are the spans that the call leads to, in all services. What a service calls is for the
// request that came to it last.
func (c call) nodes() []node {
	all := []node{{outcome{entry, ptrace.SpanKindServer, c.spanName(), strconv.Itoa(c.status)}, none}}
	last := map[string]int{entry: 0}
	for _, h := range c.hops {
		all = append(all, node{h.calls(), last[h.from]}, node{h.serves(), len(all)})
		last[h.to] = len(all) - 1
	}
	return all
}

// calls is the traffic. The last one checks a filled cart out: it is the one
// that is drawn.
func calls() []call {
	var all []call
	add := func(method, target, body, route string, status int, hops ...hop) {
		all = append(all, call{method, target, body, route, status, hops})
	}
	for _, category := range []string{"", "?category=kitchen", "?category=living"} {
		add("GET", "/products"+category, "", "/products", http.StatusOK, listed()...)
	}
	for range 2 {
		for _, id := range []string{"kettle", "teapot", "mug", "lamp", "blanket"} {
			add("GET", "/products/"+id, "", "/products/{id}", http.StatusOK, shown()...)
		}
		add("GET", "/products/sofa", "", "/products/{id}", http.StatusNotFound, unknown()...)
	}
	for _, cart := range []string{"cart-1", "cart-2", "cart-503"} {
		add("POST", "/cart", `{"cart":"`+cart+`","product":"mug","quantity":2}`, "/cart", http.StatusCreated, shown()...)
	}
	add("POST", "/cart", `{"cart":"cart-2","product":"lamp","quantity":1}`, "/cart", http.StatusCreated, shown()...)
	add("POST", "/cart", `{"cart":"cart-2","product":"sofa","quantity":1}`, "/cart", http.StatusUnprocessableEntity, unknown()...)
	add("POST", "/cart", `{"cart":"cart-409","product":"lamp","quantity":5000}`, "/cart", http.StatusCreated, shown()...)
	add("GET", "/checkout?cart=cart-1", "", "/checkout", http.StatusOK, ordered(1)...)
	add("GET", "/checkout?cart=cart-409", "", "/checkout", http.StatusConflict, short()...)
	add("GET", "/checkout?cart=cart-503", "", "/checkout", http.StatusServiceUnavailable, unpaid()...)
	add("GET", "/checkout?cart=cart-503", "", "/checkout", http.StatusServiceUnavailable, unpaid()...)
	add("DELETE", "/cart/cart-1", "", "/cart/{id}", http.StatusNoContent)
	add("DELETE", "/cart/cart-1", "", "/cart/{id}", http.StatusNotFound)
	add("PUT", "/cart", "{}", "", http.StatusMethodNotAllowed)
	add("GET", "/wp-login.php", "", "", http.StatusNotFound)
	add("HEAD", "/products", "", "/products", http.StatusOK, listed()...)
	add("GET", "/checkout?cart=cart-2", "", "/checkout", http.StatusOK, ordered(2)...)
	return all
}

// exchange is a call that was made.
type exchange struct {
	call
	sent time.Time
	took time.Duration // until the whole answer had been read
	// trace and parent are what its traceparent said, zero if it had none.
	trace  [16]byte
	parent [8]byte
}

// make makes the call, and fails if the answer is another than it should be.
// With traced, the request carries the context of a trace of its own.
func (c call) make(ctx context.Context, client *http.Client, shop string, traced bool) (exchange, error) {
	e := exchange{call: c}
	request, err := http.NewRequestWithContext(ctx, c.method, shop+c.target, strings.NewReader(c.body))
	if err != nil {
		return e, err
	}
	request.Header.Set("User-Agent", "spanprobe-demo")
	if traced {
		// crypto/rand.Read never fails since Go 1.24.
		rand.Read(e.trace[:])
		rand.Read(e.parent[:])
		request.Header.Set("traceparent", fmt.Sprintf("00-%x-%x-01", e.trace, e.parent))
	}

	e.sent = time.Now()
	response, err := client.Do(request)
	if err != nil {
		return e, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	e.took = time.Since(e.sent)
	if err != nil {
		return e, fmt.Errorf("%s %s: %w", c.method, c.target, err)
	}
	if response.StatusCode != c.status {
		return e, fmt.Errorf("%s %s: %s where %d was due: %.200s", c.method, c.target, response.Status, c.status, body)
	}
	return e, nil
}

func (e exchange) traceID() string { return hex.EncodeToString(e.trace[:]) }
