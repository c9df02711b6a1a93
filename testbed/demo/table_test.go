package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanprobe/spanprobe/testbed/harness/spans"
)

var (
	shown  = readTraffic().Hops["shown"]
	placed = readTraffic().Hops["placed"]
	short  = readTraffic().Hops["short"]
)

func TestTheTableHasARowForEachNameAndStatusOfASpan(t *testing.T) {
	j := journey{shop: newShop("", ""), exchanges: []exchange{
		{call: call{Span: "GET /checkout", Status: 200, Hops: []string{shown, placed}}},
		{call: call{Span: "GET /checkout", Status: 409, Hops: []string{shown, short}}},
	}, spans: map[outcome]int{}}
	for _, e := range j.exchanges {
		for _, o := range e.outcomes() {
			j.spans[o]++
		}
	}
	j.spans[outcome{"payments", ptrace.SpanKindServer, "POST /charges", "201"}] = 0
	j.spans[outcome{"inventory", ptrace.SpanKindServer, "shop.v1.Inventory/Peek", "OK"}] = 1
	var table bytes.Buffer
	j.writeTable(&table)
	want := `
  due: spans that the requests must give; spans: those that Jaeger has
  service     kind    span                         status               due  spans
  storefront  Server  GET /checkout                200                    1      1
              Server  GET /checkout                409                    1      1
              Client  GET                          200                    2      2
              Client  shop.v1.Checkout/PlaceOrder  FAILED_PRECONDITION    1      1
              Client  shop.v1.Checkout/PlaceOrder  OK                     1      1
  checkout    Server  shop.v1.Checkout/PlaceOrder  FAILED_PRECONDITION    1      1
              Server  shop.v1.Checkout/PlaceOrder  OK                     1      1
              Client  POST                         201                    1      1
              Client  shop.v1.Inventory/Reserve    FAILED_PRECONDITION    1      1
              Client  shop.v1.Inventory/Reserve    OK                     1      1
  catalogue   Server  GET /products/{id}           200                    2      2
              Client  shop.v1.Inventory/GetStock   OK                     2      2
  payments    Server  POST /charges                201                    1      0
  inventory   Server  shop.v1.Inventory/GetStock   OK                     2      2
              Server  shop.v1.Inventory/Peek       OK                     0      1
              Server  shop.v1.Inventory/Reserve    FAILED_PRECONDITION    1      1
              Server  shop.v1.Inventory/Reserve    OK                     1      1
                                                                         20     20
`
	if diff := cmp.Diff(want, "\n"+table.String()); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		`payments Server "POST /charges", status 201: 1 due, 0 spans`,
		`inventory Server "shop.v1.Inventory/Peek", status OK: 0 due, 1 spans`,
	}, strings.Split(j.unequal().Error(), "\n")); diff != "" {
		t.Errorf("what differs (-want +got):\n%s", diff)
	}
}

func TestACallLeadsToSpansOfAllServices(t *testing.T) {
	one := call{Span: "GET /checkout", Status: 200, Hops: []string{shown, placed}}
	var got []string
	for _, o := range one.outcomes() {
		got = append(got, o.String())
	}
	if diff := cmp.Diff([]string{
		`storefront Server "GET /checkout", status 200`,
		`storefront Client "GET", status 200`,
		`catalogue Server "GET /products/{id}", status 200`,
		`catalogue Client "shop.v1.Inventory/GetStock", status OK`,
		`inventory Server "shop.v1.Inventory/GetStock", status OK`,
		`storefront Client "shop.v1.Checkout/PlaceOrder", status OK`,
		`checkout Server "shop.v1.Checkout/PlaceOrder", status OK`,
		`checkout Client "shop.v1.Inventory/Reserve", status OK`,
		`inventory Server "shop.v1.Inventory/Reserve", status OK`,
		`checkout Client "POST", status 201`,
		`payments Server "POST /charges", status 201`,
	}, got); diff != "" {
		t.Errorf("the spans (-want +got):\n%s", diff)
	}
	j := journey{trace: spans.Of(traced([]exchange{{call: one}}))}
	if got := j.extent(); !strings.Contains(got, "holds all 11 spans") {
		t.Errorf("of its trace it says %q", got)
	}
}

func TestAServiceStartsAfterThoseThatItCalls(t *testing.T) {
	started := map[string]bool{}
	for _, service := range newShop("", "").services {
		for _, callee := range service.callees {
			if !started[callee] {
				t.Errorf("%s calls %s, which starts later", service.name, callee)
			}
		}
		started[service.name] = true
	}
}
