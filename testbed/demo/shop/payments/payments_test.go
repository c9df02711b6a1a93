package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAChargeIsAnsweredWithWhatWasCharged(t *testing.T) {
	got := post(payments{}, `{"cart":"a","total_cents":7800}`)
	want := `{"cart":"a","total_cents":7800}`
	if got.Code != http.StatusCreated || strings.TrimSpace(got.Body.String()) != want {
		t.Errorf("status %d, body %s, want 201 and %s", got.Code, got.Body, want)
	}
}

func TestTheDeclinedCartAlwaysFindsTheProviderDown(t *testing.T) {
	for range 3 {
		got := post(payments{}, `{"cart":"`+declinedCart+`","total_cents":1}`)
		if got.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got.Code)
		}
	}
}

func TestWhatIsNoChargeIsRefused(t *testing.T) {
	if got := post(payments{}, "no charge"); got.Code != http.StatusBadRequest {
		t.Errorf("status %d, want 400", got.Code)
	}
}

func post(p payments, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/charges", strings.NewReader(body))
	p.routes().ServeHTTP(recorder, request)
	return recorder
}
