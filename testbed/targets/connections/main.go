// Command peer serves HTTP and gRPC on listeners of every kind, and makes requests of both on
// demand. It knows nothing of tracing.
//
// It prints the addresses that it listens on, by name, as JSON in one line. Then it reads one
// order a line, and answers with what came of it. It ends when its standard input is closed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

// order is what requests to make.
type order struct {
	Name     string // the paths of the requests are /name/0 and so on
	First    int    // number of the first
	Requests int
	AtOnce   int // how many of them at a time

	// The connections are kept for further orders that are alike in these.
	Protocol  string // "http1", "http2", "unary" or "stream"
	Network   string
	Address   string
	TLS       bool
	Close     bool // a connection for each request
	Wrapped   bool // they are of a type that only the program knows
	LocalPort int  // of the only connection there is; 0: any
	Reset     bool // it ends with a reset, after which its address is free
}

func main() {
	certificate := flag.String("cert", "", "certificate file")
	key := flag.String("key", "", "key file of the certificate")
	folder := flag.String("folder", "", "folder of unix sockets")
	port := flag.Int("port", 0, "port to serve HTTP on at any address, with gRPC on the next; 0: any")
	flag.Parse()
	print(serve(*certificate, *key, *folder, *port))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		print(follow(o))
	}
}

func print(what interface{}) { //nolint:revive // nothing here is printed otherwise
	text, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
