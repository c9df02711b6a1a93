//go:build byhand

package main

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// As OpenTelemetry's documentation shows for net/http: otelhttp around the handler.
func init() {
	instrument = func(handler http.Handler) http.Handler {
		return otelhttp.NewHandler(handler, "server")
	}
}
