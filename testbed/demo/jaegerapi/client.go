// Package jaegerapi reads traces back through version 3 of Jaeger's query API over HTTP, whose
// answers carry OTLP JSON.
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
	var answer struct {
		Services []string `json:"services"`
	}
	err := c.get(ctx, "services", nil, &answer)
	return answer.Services, err
}

// Trace returns one trace, with times as they were recorded. The error is ErrNotFound while
// Jaeger does not have the trace.
func (c Client) Trace(ctx context.Context, id [16]byte) (ptrace.Traces, error) {
	// Without raw_traces Jaeger moves spans in time where it believes that clocks differ.
	return c.traces(ctx, "traces/"+hex.EncodeToString(id[:]), url.Values{"raw_traces": {"true"}})
}

// Query selects traces.
type Query struct {
	Service string
	From    time.Time
	To      time.Time
	Limit   int // traces
}

// Find returns the traces that a query selects, all in one. The error is ErrNotFound when there
// is none.
func (c Client) Find(ctx context.Context, query Query) (ptrace.Traces, error) {
	return c.traces(ctx, "traces", url.Values{
		"query.service_name":   {query.Service},
		"query.start_time_min": {query.From.UTC().Format(time.RFC3339Nano)},
		"query.start_time_max": {query.To.UTC().Format(time.RFC3339Nano)},
		"query.num_traces":     {strconv.Itoa(query.Limit)},
		"query.raw_traces":     {"true"},
	})
}

// traces reads OTLP JSON in the wrapper that grpc-gateway puts around a stream's messages:
// GRPCGatewayWrapper in Jaeger's api_v3 package.
func (c Client) traces(ctx context.Context, path string, parameters url.Values) (
	ptrace.Traces, error,
) {
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	if err := c.get(ctx, path, parameters, &answer); err != nil {
		return ptrace.Traces{}, err
	}
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(answer.Result)
	switch {
	case err != nil:
		return traces, fmt.Errorf("jaeger's answer holds no traces: %w", err)
	case traces.SpanCount() == 0:
		return traces, ErrNotFound
	}
	return traces, nil
}

func (c Client) get(ctx context.Context, path string, parameters url.Values, answer any) error {
	target := c.URL + "/api/v3/" + path + "?" + parameters.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(http.MaxBytesReader(nil, response.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("GET %s: %w", target, err)
	case response.StatusCode == http.StatusNotFound:
		return ErrNotFound
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %s: %.200s", target, response.Status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("GET %s: %w", target, err)
	}
	return nil
}
