//go:build newclient

package main

import "google.golang.org/grpc"

// dial is how programs connect from gRPC 1.63 on.
func dial(target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, options...)
}
