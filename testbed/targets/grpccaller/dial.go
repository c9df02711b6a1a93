//go:build !newclient

package main

import "google.golang.org/grpc"

// dial is how programs connect that were written before gRPC 1.63.
func dial(target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.Dial(target, options...) //nolint:staticcheck // deprecated, and in use
}
