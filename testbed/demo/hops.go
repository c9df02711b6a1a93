package main

import (
	"net/http"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// outcome is what calls and spans are counted by.
type outcome struct {
	service string
	kind    ptrace.SpanKind
	name    string // of the span
	status  string // "200", or of gRPC: "OK"
}

// hop is a call that one service makes to another.
type hop struct {
	from, to string
	client   string // name of the client's span: HTTP's has no route
	server   string // name of the server's span
	status   string
}

func (h hop) calls() outcome  { return outcome{h.from, ptrace.SpanKindClient, h.client, h.status} }
func (h hop) serves() outcome { return outcome{h.to, ptrace.SpanKindServer, h.server, h.status} }

func overHTTP(from, to, method, route string, status int) hop {
	return hop{from, to, method, method + " " + route, strconv.Itoa(status)}
}

func overGRPC(from, to, method, status string) hop {
	return hop{from, to, method, method, status}
}

// What follows is what the requests to the shop lead to: compare testbed/demo/shop.

func listed() []hop {
	return []hop{overHTTP("storefront", "catalogue", "GET", "/products", http.StatusOK)}
}

func shown() []hop {
	return []hop{
		overHTTP("storefront", "catalogue", "GET", "/products/{id}", http.StatusOK),
		overGRPC("catalogue", "inventory", "shop.v1.Inventory/GetStock", "OK"),
	}
}

func unknown() []hop {
	return []hop{overHTTP("storefront", "catalogue", "GET", "/products/{id}", http.StatusNotFound)}
}

// ordered is a cart of so many products, each of which is looked up for its price.
func ordered(products int) []hop {
	return append(slices.Repeat(shown(), products),
		overGRPC("storefront", "checkout", "shop.v1.Checkout/PlaceOrder", "OK"),
		overGRPC("checkout", "inventory", "shop.v1.Inventory/Reserve", "OK"),
		overHTTP("checkout", "payments", "POST", "/charges", http.StatusCreated))
}

// short is a cart of one product, of which there is too little.
func short() []hop {
	return append(shown(),
		overGRPC("storefront", "checkout", "shop.v1.Checkout/PlaceOrder", "FAILED_PRECONDITION"),
		overGRPC("checkout", "inventory", "shop.v1.Inventory/Reserve", "FAILED_PRECONDITION"))
}

// unpaid is a cart of one product, for which the payment provider is down.
func unpaid() []hop {
	return append(shown(),
		overGRPC("storefront", "checkout", "shop.v1.Checkout/PlaceOrder", "UNAVAILABLE"),
		overGRPC("checkout", "inventory", "shop.v1.Inventory/Reserve", "OK"),
		overHTTP("checkout", "payments", "POST", "/charges", http.StatusServiceUnavailable),
		overGRPC("checkout", "inventory", "shop.v1.Inventory/Release", "OK"))
}
