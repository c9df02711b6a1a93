package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"time"
)

// maxBody bounds what a request or an answer may carry, in bytes.
const maxBody = 1 << 20

// Product is what the shop sells, as its services tell each other.
type Product struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Category   string `json:"category"`
	PriceCents int64  `json:"price_cents"`
	InStock    *int64 `json:"in_stock,omitempty"` // lists do not say
}

// Charge is what a cart is charged for, as payments is told and answers.
type Charge struct {
	Cart       string `json:"cart"`
	TotalCents int64  `json:"total_cents"`
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
	Answer(w, status, refusal{reason})
}

type refusal struct {
	Error string `json:"error"`
}

// Client asks an HTTP service.
type Client struct {
	URL string
	*http.Client
}

// NewClient speaks HTTP/1.1, or HTTP/2 in clear text from the first byte on.
func NewClient(url string, http2 bool) Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: protocols}
	return Client{url, &http.Client{Transport: transport, Timeout: 5 * time.Second}}
}

// Ask gets a target, or posts a body to it if that is not nil, and decodes the answer if the status
// is below 300. Else the error is the reason that the service gives.
func (c Client) Ask(ctx context.Context, target string, body, answer any) (status int, err error) {
	method, sent := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		if sent, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+target, bytes.NewReader(sent))
	if err != nil {
		return 0, err
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	// To its end, so that the connection is used again.
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	switch {
	case err != nil:
		return 0, err
	case response.StatusCode < http.StatusMultipleChoices:
		return response.StatusCode, json.Unmarshal(text, answer)
	}
	refused := refusal{response.Status}
	_ = json.Unmarshal(text, &refused) // else the status says all
	return response.StatusCode, errors.New(refused.Error)
}
