// Command inventory is the shop's gRPC service that knows what lies on the
// shelves. It knows nothing of tracing.
package main

import (
	"context"
	"flag"
	"time"

	"google.golang.org/grpc"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
	"github.com/spanprobe/spanprobe/testbed/demo/shop/shoppb"
)

func main() { serve.Main(run) }

func run(ctx context.Context) error {
	listen := flag.String("listen", "127.0.0.1:8084", "the `address` to serve on")
	flag.Parse()
	i := &inventory{shelves: stock(), walk: time.Millisecond}
	return serve.GRPC(ctx, *listen, func(s grpc.ServiceRegistrar) { shoppb.RegisterInventoryServer(s, i) })
}
