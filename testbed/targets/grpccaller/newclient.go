//go:build newclient

package main

import "google.golang.org/grpc"

func init() { dial = grpc.NewClient }
