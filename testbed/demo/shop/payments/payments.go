package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 64 << 10

// declinedCart is the cart whose payment always finds the provider down, so
// that a failure can be had when one is wanted.
const declinedCart = "cart-503"

// payments stands for a payment provider, which takes its time.
type payments struct {
	latency    time.Duration
	retryAfter time.Duration
}

func (p payments) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", p.charge)
	return mux
}

type charge struct {
	Cart       string `json:"cart"`
	TotalCents int64  `json:"total_cents"`
}

func (p payments) charge(w http.ResponseWriter, r *http.Request) {
	var c charge
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&c); err != nil {
		serve.Refuse(w, http.StatusBadRequest, "the body is no JSON charge: "+err.Error())
		return
	}
	timer := time.NewTimer(p.latency)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return // nobody waits for the answer any more
	case <-timer.C:
	}
	if c.Cart == declinedCart {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.retryAfter.Seconds())))
		serve.Refuse(w, http.StatusServiceUnavailable, "the payment provider does not answer, please try again later")
		return
	}
	serve.Answer(w, http.StatusCreated, c)
}
