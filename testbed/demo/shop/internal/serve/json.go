package serve

import (
	"encoding/json"
	"log"
	"net/http"
)

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
