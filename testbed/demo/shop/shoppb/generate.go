// Package shoppb is what the shop's services say to each other over gRPC.
package shoppb

//go:generate ../../../../tools/protoc.sh shop.proto
