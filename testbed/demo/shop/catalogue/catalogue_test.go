package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func TestEachRouteAnswersWithItsStatus(t *testing.T) {
	for target, want := range map[string]int{
		"/products":        http.StatusOK,
		"/products/kettle": http.StatusOK,
		"/products/sofa":   http.StatusNotFound,
		"/nowhere":         http.StatusNotFound,
	} {
		if got := get(inventory{stock: 1}, target); got.Code != want {
			t.Errorf("GET %s: status %d, want %d: %s", target, got.Code, want, got.Body)
		}
	}
}

func TestAProductIsShownWithItsStock(t *testing.T) {
	got := get(inventory{stock: 7}, "/products/mug")
	want := `{"id":"mug","name":"Stoneware mug","category":"kitchen",` +
		`"price_cents":1200,"in_stock":7}`
	if strings.TrimSpace(got.Body.String()) != want {
		t.Errorf("body %s, want %s", got.Body, want)
	}
}

func TestAProductIsNotShownWithoutTheInventory(t *testing.T) {
	down := inventory{err: status.Error(codes.Unavailable, "connection refused")}
	got := get(down, "/products/mug")
	if got.Code != http.StatusBadGateway {
		t.Errorf("status %d, want 502", got.Code)
	}
}

// inventory has as much of everything, or fails.
type inventory struct {
	shoppb.InventoryClient
	stock int64
	err   error
}

func (i inventory) GetStock(
	_ context.Context, request *shoppb.GetStockRequest, _ ...grpc.CallOption,
) (*shoppb.Stock, error) {
	return &shoppb.Stock{Product: request.GetProduct(), Quantity: i.stock}, i.err
}

func get(i inventory, target string) *httptest.ResponseRecorder {
	c := &catalogue{products: assortment(), inventory: i}
	recorder := httptest.NewRecorder()
	c.routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
	return recorder
}
