package main

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// declinedCart is the cart whose payment always finds the provider down, so
// that a failure can be had when one is wanted.
const declinedCart = "cart-503"

var errPaymentsDown = errors.New("the payment provider does not answer, please try again later")

// payments stands for a payment provider, which takes its time.
type payments struct {
	latency    time.Duration
	retryAfter time.Duration
}

type receipt struct {
	Cart       string `json:"cart"`
	TotalCents int    `json:"total_cents"`
}

func (p payments) charge(ctx context.Context, cartID string, cents int) (receipt, error) {
	timer := time.NewTimer(p.latency)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return receipt{}, ctx.Err()
	case <-timer.C:
	}
	if cartID == declinedCart {
		return receipt{}, errPaymentsDown
	}
	return receipt{Cart: cartID, TotalCents: cents}, nil
}

func (p payments) retryAfterSeconds() string {
	return strconv.Itoa(int(p.retryAfter.Seconds()))
}
