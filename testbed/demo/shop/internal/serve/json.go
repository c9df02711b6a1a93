package serve

import (
	"encoding/json"
	"log"
	"net/http"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 64 << 10

// Product is what the shop sells, as its services tell each other.
type Product struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Category   string `json:"category"`
	PriceCents int64  `json:"price_cents"`
	InStock    *int64 `json:"in_stock,omitempty"` // lists do not say
}

// Read decodes a request whose body is JSON. It refuses what is none, and returns false.
func Read(w http.ResponseWriter, r *http.Request, body any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(body)
	if err != nil {
		Refuse(w, http.StatusBadRequest, "the body is not the JSON that is due: "+err.Error())
	}
	return err == nil
}

// Answer writes a response whose body is JSON.
func Answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("an answer was cut off: %v", err)
	}
}

// Refuse answers with a reason.
func Refuse(w http.ResponseWriter, status int, reason string) {
	Answer(w, status, map[string]string{"error": reason})
}
