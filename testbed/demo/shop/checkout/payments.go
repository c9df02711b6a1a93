package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// maxAnswer bounds what payments may answer, in bytes.
const maxAnswer = 64 << 10

// payments is the HTTP service of that name.
type payments struct {
	url    string
	client *http.Client
}

// newPayments speaks HTTP/2 from the first byte on: payments does.
func newPayments(url string) payments {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	return payments{url: url, client: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
}

// charge fails with a status of gRPC.
func (p payments) charge(ctx context.Context, cart string, cents int64) error {
	body, err := json.Marshal(map[string]any{"cart": cart, "total_cents": cents})
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	charges := p.url + "/charges"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, charges, bytes.NewReader(body))
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}
		return status.Errorf(codes.Unavailable, "payments: %v", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusCreated:
		return nil
	case http.StatusServiceUnavailable:
		return unavailable(response)
	}
	return status.Errorf(codes.Internal, "payments: %s", response.Status)
}

// unavailable hands on what payments says of why, and when to come back.
func unavailable(response *http.Response) error {
	var answer struct {
		Error string `json:"error"`
	}
	body := io.LimitReader(response.Body, maxAnswer)
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return status.Errorf(codes.Unavailable, "payments: %s", response.Status)
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		return status.Error(codes.Unavailable, answer.Error) // it does not say when
	}
	delay := durationpb.New(time.Duration(seconds) * time.Second)
	retry := &errdetails.RetryInfo{RetryDelay: delay}
	detailed, err := status.New(codes.Unavailable, answer.Error).WithDetails(retry)
	if err != nil {
		return status.Error(codes.Internal, fmt.Sprintf("the details of a status: %v", err))
	}
	return detailed.Err()
}
