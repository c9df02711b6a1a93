// Command payments is the shop's way to money: an HTTP service that charges for
// carts. It speaks HTTP/2 with those who want it, and knows nothing of tracing.
package main

import (
	"context"
	"flag"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
)

func main() { serve.Main(run) }

func run(ctx context.Context) error {
	listen := flag.String("listen", "127.0.0.1:8083", "the `address` to serve on")
	flag.Parse()
	p := payments{latency: 8 * time.Millisecond, retryAfter: 30 * time.Second}
	return serve.HTTP(ctx, *listen, p.routes())
}
