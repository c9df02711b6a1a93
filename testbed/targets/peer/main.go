// Command peer serves HTTP and gRPC on listeners of every kind, and makes requests of both, of many
// forms. It knows nothing of tracing.
//
// It says the addresses that it listens on, by name. It reads orders: one a line, or one in each
// request for /relay, or in each message of a call of such a method. It answers an order with the
// errors that it had. It can forward all other requests, as a service in a chain of them does.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
	"github.com/spanprobe/spanprobe/testbed/targets/shared/rpc"
)

// order is what requests to make. What is sent is the same each time.
type order struct {
	Name     string // the paths of the requests are /name/0 and so on
	First    int    // number of the first
	Requests int
	AtOnce   int // how many of them at a time

	// The connections are kept for further orders that are alike in these.
	Protocol  string // "http1", "http2", "net2" (of golang.org/x/net), "unary" or "stream"
	Network   string // "" for TCP, as the library dials it by itself
	Address   string
	TLS       bool
	Close     bool // a connection for each request
	Age       int  // the same again is over other connections
	Wrapped   bool // they are of a type that only the program knows
	LocalPort int  // of the only connection there is; 0: any
	Reset     bool // it ends with a reset, after which its address is free
	FastOpen  bool // the first request goes with the SYN

	Body     int  // bytes
	Chunked  bool // its length is not told before
	Continue bool // the body waits for "100 Continue"
	Trailers bool
	Header   int    // bytes of a header's value
	Grow     int    // how many more it has in each further request
	Lines    int    // further headers
	Path     int    // bytes that are behind the path, in the query
	Own      string // "set" or "appended": the request says itself whose child it is

	Pooled bool // requests that are forwarded are made by workers of a pool

	id string // of the request that is forwarded, which has it in place of a number
}

func main() {
	folder := flag.String("folder", "", "folder of unix sockets; none: there are none")
	port := flag.Int("port", 0,
		"port to serve HTTP on at any address, with gRPC on the next; 0: any")
	host := flag.String("host", "127.0.0.1", "address of the listeners of IPv4")
	again := flag.String("again", "{}", "addresses to listen at, as the program has said them")
	onward := flag.String("forward", "{}",
		"order that each request makes one request of: its path has what follows the first part")
	flag.Parse()
	lines.Parse(*onward, &forwarded)
	addresses := map[string]string{}
	lines.Parse(*again, &addresses)
	serve(addresses, *folder, net.JoinHostPort(*host, "0"), *port)
	lines.Serve(addresses, func(line string) interface{} {
		return follow(context.Background(), line)
	})
}

func (o order) path(number int) string {
	if o.id != "" {
		return "/" + o.Name + "/" + o.id
	}
	return fmt.Sprintf("/%s/%d", o.Name, number)
}

// messages are what a call sends.
func (o order) messages(number int) (all []string) {
	switch {
	case o.Protocol == "unary" && o.id != "":
		return []string{o.id}
	case o.id != "":
		return []string{o.id + "/0", o.id + "/1"}
	case o.Protocol == "unary":
		return []string{o.bytes(number, o.Body)}
	}
	for i := 0; i < rpc.Messages; i++ {
		all = append(all, o.bytes(number, o.Body+i))
	}
	return all
}

// bytes of a number's own.
func (o order) bytes(number, length int) string {
	return strings.Repeat(fmt.Sprintf("%s-%d!", o.Name, number), length/4+1)[:length]
}

// headers are what the request of a number has, beside what its library adds.
func (o order) headers(number int) map[string]string {
	all := map[string]string{}
	if n := o.Header + number*o.Grow; n > 0 {
		all["x-long"] = o.bytes(number, n)
	}
	for i := 0; i < o.Lines; i++ {
		all[fmt.Sprintf("x-line-%d", i)] = o.bytes(number, 40)
	}
	return all
}

// own is the parent that a request says itself.
func (o order) own(number int) string {
	return fmt.Sprintf("00-%032x-%016x-01", number+1, number+1)
}
