// Command caller makes HTTP requests and gRPC calls of many forms on demand: it reads one order a
// line, or gets it by HTTP or gRPC, and answers with the errors that it had. It knows nothing of tracing.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// order is what requests to make. What is sent is the same each time.
type order struct {
	Name     string // the paths of the requests are /name/0 and so on
	Requests int
	AtOnce   int // how many of them at a time

	// The connections are kept for further orders that are alike in these.
	Protocol string // "http1", "http2", "net2" (of golang.org/x/net), "unary" or "stream"
	Address  string
	TLS      bool
	Close    bool // a connection for each request
	Age      int  // the same again is over other connections

	Body     int  // bytes
	Chunked  bool // its length is not told before
	Continue bool // the body waits for "100 Continue"
	Trailers bool
	Header   int    // bytes of a header's value
	Grow     int    // how many more it has in each further request
	Lines    int    // further headers
	Path     int    // bytes that are behind the path, in the query
	Own      string // "set" or "appended": the request says itself whose child it is
}

const patience = time.Minute // on a machine that is emulated, too

// client makes the request of a number, of an order that is for its connections.
type client func(ctx context.Context, o order, number int) error

var (
	mu      sync.Mutex
	clients = map[string]client{}
)

// clientFor returns the one whose connections an order is for.
func clientFor(o order) client {
	mu.Lock()
	defer mu.Unlock()
	key := fmt.Sprint(o.Protocol, o.Address, o.TLS, o.Close, o.Age)
	if clients[key] == nil {
		clients[key] = newClient(o)
	}
	return clients[key]
}

func main() {
	fmt.Println(listen())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		text, err := json.Marshal(follow(context.Background(), o))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}

// follow makes the requests of an order, and returns the errors.
func follow(parent context.Context, o order) []string {
	send := clientFor(o)
	numbers := make(chan int, o.Requests)
	for i := 0; i < o.Requests; i++ {
		numbers <- i
	}
	close(numbers)
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := []string{}
	for g := 0; g < o.AtOnce; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range numbers {
				ctx, cancel := context.WithTimeout(parent, patience)
				if err := send(ctx, o, i); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Sprintf("%s: %v", o.path(i), err))
					mu.Unlock()
				}
				cancel()
			}
		}()
	}
	wg.Wait()
	return errs
}

func newClient(o order) client {
	switch o.Protocol {
	case "http1", "http2", "net2":
		return newWeb(o)
	case "unary", "stream":
		return newRPC(o)
	}
	panic("no such protocol: " + o.Protocol)
}

func (o order) path(number int) string { return fmt.Sprintf("/%s/%d", o.Name, number) }

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
func (o order) own(number int) string { return fmt.Sprintf("00-%032x-%016x-01", number+1, number+1) }
