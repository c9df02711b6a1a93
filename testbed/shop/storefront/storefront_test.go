package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEachRouteAnswersWithItsStatus(t *testing.T) {
	for _, step := range []struct {
		method, target, body string
		want                 int
	}{
		{"GET", "/healthz", "", http.StatusNoContent},
		{"GET", "/products?category=kitchen", "", http.StatusOK},
		{"GET", "/products/kettle", "", http.StatusOK},
		{"GET", "/products/sofa", "", http.StatusNotFound},
		{"GET", "/nowhere", "", http.StatusNotFound},
		{"PUT", "/cart", "{}", http.StatusMethodNotAllowed},
		{"POST", "/cart", "no order", http.StatusBadRequest},
		{"POST", "/cart", `{"cart":"a","product":"sofa","quantity":1}`, http.StatusUnprocessableEntity},
		{"POST", "/cart", `{"cart":"a","product":"mug"}`, http.StatusUnprocessableEntity},
		{"GET", "/checkout?cart=a", "", http.StatusNotFound},
	} {
		got := call(newStorefront().routes(), step.method, step.target, step.body)
		if got.Code != step.want {
			t.Errorf("%s %s: status %d, want %d: %s", step.method, step.target, got.Code, step.want, got.Body)
		}
	}
}

func TestACheckoutChargesForAllThatIsInTheCart(t *testing.T) {
	shop := newStorefront().routes()
	call(shop, "POST", "/cart", `{"cart":"a","product":"mug","quantity":2}`)
	call(shop, "POST", "/cart", `{"cart":"a","product":"lamp","quantity":1}`)
	got := call(shop, "GET", "/checkout?cart=a", "")
	if want := `{"cart":"a","total_cents":7800}`; got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != want {
		t.Errorf("status %d, body %s, want 200 and %s", got.Code, got.Body, want)
	}
}

func TestTheDeclinedCartAlwaysFindsThePaymentProviderDown(t *testing.T) {
	shop := newStorefront().routes()
	call(shop, "POST", "/cart", `{"cart":"`+declinedCart+`","product":"mug","quantity":1}`)
	for range 3 {
		got := call(shop, "GET", "/checkout?cart="+declinedCart, "")
		if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "30" {
			t.Errorf("status %d, Retry-After %q, want 503 and 30", got.Code, got.Header().Get("Retry-After"))
		}
	}
}

func call(handler http.Handler, method, target, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(method, target, strings.NewReader(body)))
	return recorder
}
