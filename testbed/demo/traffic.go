package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// call is a request to the entry, and what it should come to.
type call struct {
	method, target, body string
	span                 string // name of the entry's span: the method, and the route if any
	status               int
	hops                 string // the calls between services that it leads to
}

// nodes are the spans that the call leads to, in all services. The first is that of the entry.
func (c call) nodes() []node {
	served := outcome{entry, ptrace.SpanKindServer, c.span, strconv.Itoa(c.status)}
	return follow(node{outcome: served, id: pcommon.SpanID{7: 1}}, c.hops)
}

// calls is the traffic. The last one checks a filled cart out: it is the one that is drawn.
func calls() []call {
	var all []call
	add := func(method, target, body, span string, status int, hops string) {
		all = append(all, call{method, target, body, span, status, hops})
	}
	get := func(target, route string, status int, hops string) {
		add("GET", target, "", "GET "+route, status, hops)
	}
	fill := func(cart, product string, quantity, status int, hops string) {
		order := fmt.Sprintf(`{"cart":%q,"product":%q,"quantity":%d}`, cart, product, quantity)
		add("POST", "/cart", order, "POST /cart", status, hops)
	}
	for _, category := range []string{"", "?category=kitchen", "?category=living"} {
		get("/products"+category, "/products", http.StatusOK, listed)
	}
	for range 2 {
		for _, id := range []string{"kettle", "teapot", "mug", "lamp", "blanket"} {
			get("/products/"+id, "/products/{id}", http.StatusOK, shown)
		}
		get("/products/sofa", "/products/{id}", http.StatusNotFound, unknown)
	}
	for _, cart := range []string{"cart-1", "cart-2", "cart-503"} {
		fill(cart, "mug", 2, http.StatusCreated, shown)
	}
	fill("cart-2", "lamp", 1, http.StatusCreated, shown)
	fill("cart-2", "sofa", 1, http.StatusUnprocessableEntity, unknown)
	fill("cart-409", "lamp", 5000, http.StatusCreated, shown)
	get("/checkout?cart=cart-1", "/checkout", http.StatusOK, shown+placed)
	get("/checkout?cart=cart-409", "/checkout", http.StatusConflict, shown+short)
	get("/checkout?cart=cart-503", "/checkout", http.StatusServiceUnavailable, shown+unpaid)
	get("/checkout?cart=cart-503", "/checkout", http.StatusServiceUnavailable, shown+unpaid)
	add("DELETE", "/cart/cart-1", "", "DELETE /cart/{id}", http.StatusNoContent, "")
	add("DELETE", "/cart/cart-1", "", "DELETE /cart/{id}", http.StatusNotFound, "")
	add("PUT", "/cart", "{}", "PUT", http.StatusMethodNotAllowed, "")
	add("GET", "/wp-login.php", "", "GET", http.StatusNotFound, "")
	add("HEAD", "/products", "", "HEAD /products", http.StatusOK, listed)
	get("/checkout?cart=cart-2", "/checkout", http.StatusOK, shown+shown+placed)
	return all
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
	body := strings.NewReader(c.body)
	request, err := http.NewRequestWithContext(ctx, c.method, shop+c.target, body)
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
		return e, fmt.Errorf("%s %s: %w", c.method, c.target, err)
	}
	if response.StatusCode != c.status {
		return e, fmt.Errorf("%s %s: %s where %d was due: %.200s",
			c.method, c.target, response.Status, c.status, answer)
	}
	return e, nil
}
