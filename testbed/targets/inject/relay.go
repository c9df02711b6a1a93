package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// listen serves requests that are orders, and follows these for them. It returns where: of HTTP, and
// of gRPC.
func listen() string {
	addresses := ""
	for _, serve := range []func(net.Listener) error{
		func(l net.Listener) error { return http.Serve(l, http.HandlerFunc(web)) },
		grpc.NewServer(grpc.UnknownServiceHandler(rpc)).Serve,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		addresses += listener.Addr().String() + " "
		go func(serve func(net.Listener) error) { panic(serve(listener)) }(serve)
	}
	return addresses
}

func web(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(w).Encode(follow(r.Context(), o)); err != nil {
		panic(err)
	}
}

func rpc(_ interface{}, stream grpc.ServerStream) error {
	message := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal([]byte(message.Value), &o); err != nil {
		return err
	}
	if errs := follow(stream.Context(), o); len(errs) > 0 {
		return fmt.Errorf("%d requests failed: %s", len(errs), errs[0])
	}
	return stream.SendMsg(message)
}
