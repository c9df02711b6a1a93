// Command nettarget serves HTTP/2 with golang.org/x/net/http2. Build tags make
// three programs of it, one for each of the ways in which programs use that: the
// linker leaves out what the others need. It knows nothing of tracing. Like the target in
// bpf/nethttp it prints its address, and how many requests have reached a
// handler for each line on its standard input.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
)

var served int64

func main() {
	certificate := flag.String("cert", "", "certificate file, for TLS")
	key := flag.String("key", "", "key file of the certificate")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(serve(listener, *certificate, *key)) }()
	fmt.Println(listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(atomic.LoadInt64(&served))
	}
}

// answer writes the status that the query names, or panics if that is 0.
func answer(w http.ResponseWriter, r *http.Request) {
	atomic.AddInt64(&served, 1)
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	switch {
	case err != nil: // nothing is written
	case code == 0:
		panic("as asked")
	default:
		w.WriteHeader(code)
	}
}
