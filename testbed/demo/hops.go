package main

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The calls between services that requests to the shop lead to: compare testbed/demo/shop. A line
// has the two services, the method, the route if it is HTTP, and the status.
const (
	listed  = "storefront catalogue GET /products 200\n"
	unknown = "storefront catalogue GET /products/{id} 404\n"
	shown   = "storefront catalogue GET /products/{id} 200\n" +
		"catalogue inventory shop.v1.Inventory/GetStock OK\n"
	placed = "storefront checkout shop.v1.Checkout/PlaceOrder OK\n" +
		"checkout inventory shop.v1.Inventory/Reserve OK\n" +
		"checkout payments POST /charges 201\n"
	// short is an order of which there is too little.
	short = "storefront checkout shop.v1.Checkout/PlaceOrder FAILED_PRECONDITION\n" +
		"checkout inventory shop.v1.Inventory/Reserve FAILED_PRECONDITION\n"
	// unpaid is an order for which the payment provider is down.
	unpaid = "storefront checkout shop.v1.Checkout/PlaceOrder UNAVAILABLE\n" +
		"checkout inventory shop.v1.Inventory/Reserve OK\n" +
		"checkout payments POST /charges 503\n" +
		"checkout inventory shop.v1.Inventory/Release OK\n"
)

// follow adds the spans of calls between services to the one of the request that leads to them. A
// service calls for the request that came to it last.
func follow(request node, hops string) []node {
	all := []node{request}
	last := map[string]pcommon.SpanID{request.service: request.id}
	add := func(parent pcommon.SpanID, o outcome) pcommon.SpanID {
		id := pcommon.SpanID{7: byte(len(all) + 1)}
		all = append(all, node{o, id, parent})
		return id
	}
	for line := range strings.Lines(hops) {
		words := strings.Fields(line)
		from, to, name, status := words[0], words[1], words[2:len(words)-1], words[len(words)-1]
		// A client knows no route.
		call := add(last[from], outcome{from, ptrace.SpanKindClient, name[0], status})
		last[to] = add(call, outcome{to, ptrace.SpanKindServer, strings.Join(name, " "), status})
	}
	return all
}
