package grpc

import "github.com/spanprobe/spanprobe/internal/probe"

// rules are those of the modules whose fields are read.
func rules() []probe.Rule {
	const inTransport = module + transport
	return []probe.Rule{
		{
			Module: module,
			// Of October 2020: distributions of the years after have it.
			Oldest: "v1.33.0",
			Also:   []string{"v1.33.0"},
			Gone: []probe.Gone{
				{
					Since: "v1.40.0", Fields: []string{module + "/internal/status.Error.e"},
					Reason: "Error.s, a Status, has the message",
				},
				{
					Since: "v1.60.0", Fields: []string{inTransport + ".http2Server.remoteAddr"},
					Reason: "the address is in http2Server.peer",
				},
				{
					Since: "v1.71.0", Fields: []string{module + ".csAttempt.t"},
					Reason: "it is csAttempt.transport",
				},
				{
					Since: "v1.77.0",
					Fields: []string{
						inTransport + ".ClientStream.*Stream",
						inTransport + ".ServerStream.*Stream",
					},
					Reason: "Stream lies in them",
				},
				{
					Since: "v1.84.0", Fields: []string{inTransport + ".bufWriter.buf"},
					Reason: "bufWriter.bufHandle points to it",
				},
			},
			Programs: []string{usesGRPC},
		},
		// Programs of gRPC have the versions of golang.org/x/net that it requires.
		{Module: "golang.org/x/net", Requirers: []string{module}},
		// The messages of a status. The module has no releases, and was split off the next one.
		{
			Module: moduleProto,
			Oldest: "v0.0.0-20230101000000-000000000000",
			Requirers: []string{
				"cloud.google.com/go",
				"go.opentelemetry.io/collector/exporter/otlpexporter",
				"google.golang.org/api",
				module,
				"k8s.io/apiserver",
			},
			Programs: []string{usesStatus},
		},
		{
			Module: moduleProtoOnce,
			// grpc 1.33 requires one of May 2020, but distributions have older ones with it, in
			// which the code is elsewhere.
			Oldest:    "v0.0.0-20190801000000-000000000000",
			Requirers: []string{module},
			Gone: []probe.Gone{{
				Since:  "v0.0.0-20230525000000-000000000000",
				Fields: []string{packageProto + ".Status"},
				Reason: "the package is in a module of its own",
			}},
			Programs: []string{usesStatus},
		},
	}
}

const usesGRPC = `package main

import (
	"context"
	"log"
	"net"

	"google.golang.org/grpc"
)

func init() {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.Dial(listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	if err := connection.Invoke(context.Background(), "/a.B/C", nil, nil); err != nil {
		log.Print(err)
	}
	log.Fatal(grpc.NewServer().Serve(listener))
}
`

const usesStatus = `package main

import (
	"log"

	"google.golang.org/genproto/googleapis/rpc/status"
)

func init() {
	log.Print(&status.Status{Code: 5})
}
`
