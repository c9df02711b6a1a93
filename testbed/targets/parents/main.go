// Command parents answers requests by making calls, in every way in which programs
// get from the one to the other. It knows nothing of tracing.
//
// A request names the side that it comes over, how calls are to be made ("http" or
// "grpc"), the case and a number: /http1/grpc/errgroup/17. The calls that it makes have
// its name with the number of its message and their own behind it: /http1/grpc/errgroup/17/0/2.
//
// The program says the addresses that it listens on: of HTTP, of HTTP with TLS, and of gRPC. The
// line "background" begins what belongs to no request. The line "still" ends that, and is answered
// with how many calls have been made so: by a ticker, by a refresher that the first request for it
// has started, and by a pool's opener of connections. The line "held" is answered with how many
// requests are held, and so is "release", which lets them go on.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/pool"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

func main() {
	over := flag.String("http", "", "URL of a server to call")
	calls := flag.String("grpc", "", "address of a gRPC server to call")
	flag.Parse()
	httpURL, grpcClient = *over, rpc.Connect(*calls, rpc.Secrets(false))
	jobs, cases = pool.New(workers), allCases()
	go tick("ticker")

	mux := http.NewServeMux()
	mux.HandleFunc("/", answer)
	// They answer on a goroutine of their own.
	timeouts, proxied := http.TimeoutHandler(http.HandlerFunc(answer), time.Minute, ""), proxy()
	for _, side := range []string{"/http1/", "/http2/"} {
		for _, via := range []string{"http/", "grpc/"} {
			for _, name := range []string{"", "-twice", "-body"} {
				mux.Handle(side+via+"timeout-handler"+name+"/", timeouts)
			}
		}
		mux.Handle(side+"http/proxied/", proxied)
	}
	server := web.Server(mux)
	secure := web.OverTLS(server, "h2", "http/1.1")
	called := grpc.NewServer(grpc.UnaryInterceptor(unary), grpc.StreamInterceptor(stream))
	called.RegisterService(rpc.Calls("testbed.Parents", nil), nil)
	var addresses []string
	for _, serve := range []func(net.Listener) error{server.Serve, secure, called.Serve} {
		addresses = append(addresses, web.Serve("tcp", web.Loopback, serve))
	}
	lines.Serve(strings.Join(addresses, " "), func(line string) interface{} {
		switch line {
		case "background":
			return background.begin()
		case "still":
			return background.end()
		case "held":
			return holding.Waiting()
		case "release":
			return holding.Open()
		}
		panic("no such order: " + line)
	})
}

// answer serves a request over HTTP.
func answer(w http.ResponseWriter, r *http.Request) {
	if err := serve(r.Context(), r.URL.Path, 0); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// unary answers a call as a request of its message's name is.
func unary(
	ctx context.Context, message interface{}, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler,
) (interface{}, error) {
	return message, serve(ctx, message.(*wrapperspb.StringValue).GetValue(), 0)
}

// stream answers each message of a call so.
func stream(
	service interface{}, s grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler,
) error {
	n := 0
	return rpc.Each(func(ctx context.Context, message string) error {
		defer func() { n++ }()
		return serve(ctx, message, n)
	})(service, s)
}

// request is what is being answered.
type request struct {
	path    string
	via     string // how its calls are made
	message int    // of a stream
}

// name is what a call of the request's is called.
func (r request) name(n int) string { return fmt.Sprintf("%s/%d/%d", r.path, r.message, n) }

// call makes the nth call of the request.
func (r request) call(ctx context.Context, n int) error { return call(ctx, r.via, r.name(n)) }

// Calls are made with these.
var (
	httpURL    string
	httpClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	grpcClient *grpc.ClientConn
)

// call makes a call of a name.
func call(ctx context.Context, via, name string) error {
	if via == "grpc" {
		return rpc.Invoke(ctx, grpcClient, name, "a message")
	}
	return get(ctx, httpClient, name)
}

func get(ctx context.Context, client *http.Client, name string) error {
	_, err := web.Get(ctx, client, httpURL+name)
	return err
}

// proxy passes requests on, with their headers, as calls of theirs.
func proxy() http.Handler {
	called, err := url.Parse(httpURL)
	if err != nil {
		panic(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(called)
			r.Out.URL.Path = request{path: r.In.URL.Path}.name(0)
		},
		Transport: httpClient.Transport,
	}
}
