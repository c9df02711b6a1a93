package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func TestEachRouteAnswersWithItsStatus(t *testing.T) {
	for _, step := range []struct {
		method, target, body string
		want                 int
	}{
		{"GET", "/products", "", http.StatusOK},
		{"GET", "/products/mug", "", http.StatusOK},
		{"GET", "/products/sofa", "", http.StatusNotFound},
		{"GET", "/nowhere", "", http.StatusNotFound},
		{"PUT", "/cart", "{}", http.StatusMethodNotAllowed},
		{"POST", "/cart", "no order", http.StatusBadRequest},
		{"POST", "/cart", `{"cart":"a","product":"sofa","quantity":1}`, 422},
		{"POST", "/cart", `{"cart":"a","product":"mug"}`, 422},
		{"POST", "/cart", `{"cart":"a","quantity":1}`, 422},
		{"GET", "/checkout?cart=a", "", http.StatusNotFound},
	} {
		got := call(shop(t, &checkout{}), step.method, step.target, step.body)
		if got.Code != step.want {
			t.Errorf("%s %s: status %d, want %d: %s",
				step.method, step.target, got.Code, step.want, got.Body)
		}
	}
}

func TestWhatTheCatalogueSaysIsHandedOn(t *testing.T) {
	for target, want := range map[string]string{
		"/products":     `[` + mug + `}]`,
		"/products/mug": mug + `,"in_stock":0}`,
	} {
		got := call(shop(t, &checkout{}), "GET", target, "")
		if strings.TrimSpace(got.Body.String()) != want {
			t.Errorf("%s: body %s, want %s", target, got.Body, want)
		}
	}
}

func TestWithoutTheCatalogueThereAreOnlyCarts(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	shop := newStorefront(serve.NewClient(down.URL, false), &checkout{}).routes()
	for target, want := range map[string]int{
		"/products": 502, "/products/mug": 502, "/checkout?cart=a": 404,
	} {
		if got := call(shop, "GET", target, ""); got.Code != want {
			t.Errorf("%s: status %d, want %d", target, got.Code, want)
		}
	}
	got := call(shop, "POST", "/cart", `{"cart":"a","product":"mug","quantity":1}`)
	if got.Code != http.StatusBadGateway {
		t.Errorf("POST /cart: status %d, want 502", got.Code)
	}
}

func TestACheckoutOrdersAllThatIsInTheCart(t *testing.T) {
	orders := &checkout{}
	shop := shop(t, orders)
	call(shop, "POST", "/cart", `{"cart":"a","product":"mug","quantity":2}`)
	call(shop, "POST", "/cart", `{"cart":"a","product":"lamp","quantity":1}`)
	got := call(shop, "GET", "/checkout?cart=a", "")
	body := `{"cart":"a","total_cents":7800}`
	if got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != body {
		t.Errorf("status %d, body %s, want 200 and %s", got.Code, got.Body, body)
	}
	want := &shoppb.PlaceOrderRequest{Cart: "a", TotalCents: 7800, Lines: []*shoppb.Line{
		{Product: "lamp", Quantity: 1}, {Product: "mug", Quantity: 2},
	}}
	if diff := cmp.Diff(want, orders.placed, protocmp.Transform()); diff != "" {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
}

func TestAStatusOfTheCheckoutBecomesOneOfHTTP(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		want   int
		reason string
	}{
		"goods are short": {
			status.Error(codes.FailedPrecondition, "there are only 2"), 409, "there are only 2",
		},
		"the provider or the checkout is down": {
			status.Error(codes.Unavailable, "dial tcp 10.0.0.1"), 503, "please try again later",
		},
		"anything else": {status.Error(codes.Internal, "secret"), 500, "the order failed"},
	} {
		shop := shop(t, &checkout{err: c.err})
		call(shop, "POST", "/cart", `{"cart":"a","product":"mug","quantity":1}`)
		got := call(shop, "GET", "/checkout?cart=a", "")
		want := `{"error":"` + c.reason + `"}`
		if got.Code != c.want || strings.TrimSpace(got.Body.String()) != want {
			t.Errorf("%s: status %d, body %s, want %d and %s",
				name, got.Code, got.Body, c.want, want)
		}
	}
}

// checkout keeps the last order, and fails with err if that is set.
type checkout struct {
	err    error
	placed *shoppb.PlaceOrderRequest
}

func (c *checkout) PlaceOrder(
	_ context.Context, order *shoppb.PlaceOrderRequest, _ ...grpc.CallOption,
) (*shoppb.Receipt, error) {
	c.placed = order
	if c.err != nil {
		return nil, c.err
	}
	return &shoppb.Receipt{Cart: order.GetCart(), TotalCents: order.GetTotalCents()}, nil
}

// mug is as much of a product as lists tell.
const mug = `{"id":"mug","name":"Mug","category":"kitchen","price_cents":1200`

// shop is a storefront before a catalogue of two products.
func shop(t *testing.T, orders *checkout) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	for target, body := range map[string]string{
		"GET /products":     `[` + mug + `}]`,
		"GET /products/mug": mug + `,"in_stock":0}`,
		"GET /products/lamp": `{"id":"lamp","name":"Lamp","category":"living",` +
			`"price_cents":5400,"in_stock":3}`,
	} {
		mux.HandleFunc(target, func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(body))
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return newStorefront(serve.NewClient(server.URL, false), orders).routes()
}

func call(handler http.Handler, method, target, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(method, target, strings.NewReader(body)))
	return recorder
}
