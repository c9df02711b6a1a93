//go:build h2c || direct || tls

package main

import "net/http"

var handler = http.HandlerFunc(answer)

// answer writes the status that the query names, if there is one, or panics if that is 0.
func answer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Query().Get("code") {
	case "":
	case "0":
		panic("as asked")
	default:
		status(w, r)
	}
}
