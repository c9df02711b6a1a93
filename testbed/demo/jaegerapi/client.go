// Package jaegerapi reads traces back through version 3 of Jaeger's query API
// over HTTP, whose answers carry OTLP JSON.
package jaegerapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// ErrNotFound says that Jaeger has no trace that fits.
var ErrNotFound = errors.New("jaeger has no such trace")

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

// Client asks one Jaeger. It is safe for concurrent use.
type Client struct {
	// URL is where the query service answers: "http://127.0.0.1:16686".
	URL  string
	HTTP *http.Client
}

// Services returns the names of the services that Jaeger has spans of.
func (c Client) Services(ctx context.Context) ([]string, error) {
	body, err := c.get(ctx, "/api/v3/services", nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Services []string `json:"services"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("jaeger's list of services: %w", err)
	}
	return answer.Services, nil
}

// Trace returns one trace, with times as they were recorded. The error is
// ErrNotFound while Jaeger does not have it.
func (c Client) Trace(ctx context.Context, id [16]byte) (ptrace.Traces, error) {
	// Without raw_traces Jaeger moves spans in time, to where it takes them to
	// have been if it believes that clocks differ.
	return c.traces(ctx, "/api/v3/traces/"+hex.EncodeToString(id[:]), url.Values{"raw_traces": {"true"}})
}

// Query selects traces.
type Query struct {
	Service string
	From    time.Time
	To      time.Time
	Limit   int // traces
}

// Find returns the traces that a query selects, all in one. The error is
// ErrNotFound when there is none.
func (c Client) Find(ctx context.Context, query Query) (ptrace.Traces, error) {
	return c.traces(ctx, "/api/v3/traces", url.Values{
		"query.service_name":   {query.Service},
		"query.start_time_min": {query.From.UTC().Format(time.RFC3339Nano)},
		"query.start_time_max": {query.To.UTC().Format(time.RFC3339Nano)},
		"query.num_traces":     {strconv.Itoa(query.Limit)},
		"query.raw_traces":     {"true"},
	})
}

func (c Client) traces(ctx context.Context, path string, parameters url.Values) (ptrace.Traces, error) {
	body, err := c.get(ctx, path, parameters)
	if err != nil {
		return ptrace.Traces{}, err
	}
	return decodeTraces(body)
}

// decodeTraces reads the answer of the routes that return traces: OTLP JSON in
// the wrapper that grpc-gateway puts around a stream's messages
// (GRPCGatewayWrapper in Jaeger's api_v3 package).
func decodeTraces(body []byte) (ptrace.Traces, error) {
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return ptrace.Traces{}, fmt.Errorf("jaeger's answer: %w", err)
	}
	if len(answer.Result) == 0 {
		return ptrace.Traces{}, errors.New(`jaeger's answer has no "result"`)
	}
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(answer.Result)
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("jaeger's answer: %w", err)
	}
	if traces.SpanCount() == 0 {
		return ptrace.Traces{}, ErrNotFound
	}
	return traces, nil
}

func (c Client) get(ctx context.Context, path string, parameters url.Values) ([]byte, error) {
	target := c.URL + path
	if len(parameters) > 0 {
		target += "?" + parameters.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", target, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("GET %s: the answer has more than %d bytes", target, maxAnswer)
	case response.StatusCode == http.StatusNotFound:
		return nil, ErrNotFound
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s: %s: %.200s", target, response.Status, body)
	}
	return body, nil
}
