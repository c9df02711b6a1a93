// Command payments is the shop's way to money: an HTTP service that charges for carts. It speaks
// HTTP/2 with clients that want it, and knows nothing of tracing.
package main

import (
	"net/http"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
)

func main() {
	serve.Main("payments", func(address string) error {
		return serve.HTTP(address, payments{latency: 8 * time.Millisecond}.routes())
	})
}

// declinedCart is the cart whose payment always finds the provider down, so that a failure can be
// had when one is wanted.
const declinedCart = "cart-503"

// payments stands for a payment provider, which takes its time.
type payments struct{ latency time.Duration }

func (p payments) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", p.charge)
	return mux
}

func (p payments) charge(w http.ResponseWriter, r *http.Request) {
	var c serve.Charge
	if !serve.Read(w, r, &c) {
		return
	}
	select {
	case <-r.Context().Done():
		return // nobody waits for the answer any more
	case <-time.After(p.latency):
	}
	if c.Cart == declinedCart {
		serve.Refuse(w, http.StatusServiceUnavailable,
			"the payment provider does not answer, please try again later")
		return
	}
	serve.Answer(w, http.StatusCreated, c)
}
