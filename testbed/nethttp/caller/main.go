// Command caller makes HTTP requests on demand: it reads one order a line, and
// answers with what the transport returned. It knows nothing of tracing.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// order is what to ask for.
type order struct {
	Method  string
	URL     string
	Timeout int    // milliseconds; 0: none
	Cancel  int    // milliseconds after which the request is cancelled; 0: never
	Trust   bool   // any certificate
	HTTP2   bool   // where the server can
	Socket  string // path of a unix socket to connect to
	Many    int    // send so many, "/0" and so on behind the URL, all at a time
	Panic   bool   // panic within RoundTrip, and recover
	Apart   bool   // do that in a goroutine of its own, which ends then
}

// answer is what came of it.
type answer struct {
	Status int
	Errors []string // the type of each error that RoundTrip returned
	Failed int      // of many
}

// recorder notes what a transport returns.
type recorder struct {
	http.RoundTripper

	mu     sync.Mutex
	errors []string
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTripper.RoundTrip(request)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errors = append(r.errors, fmt.Sprintf("%T", err))
	}
	return response, err
}

func main() {
	fmt.Println("ready")
	transports := map[string]*http.Transport{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		key := fmt.Sprint(o.Trust, o.HTTP2, o.Socket)
		if transports[key] == nil {
			transports[key] = newTransport(o)
		}
		text, err := json.Marshal(do(o, transports[key]))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", text)
	}
}

func newTransport(o order) *http.Transport {
	t := &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: o.Trust},
		ForceAttemptHTTP2:   o.HTTP2,
		MaxIdleConnsPerHost: 100,
	}
	if o.Socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.Socket)
		}
	}
	return t
}

func do(o order, transport *http.Transport) answer {
	r := &recorder{RoundTripper: transport}
	client := &http.Client{Transport: r, Timeout: time.Duration(o.Timeout) * time.Millisecond}
	var a answer
	switch {
	case o.Panic && o.Apart:
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			panicked(transport)
		}()
		<-ended
	case o.Panic:
		panicked(transport)
	}
	if o.Many == 0 {
		a.Status = send(client, o, o.URL)
	} else {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for i := 0; i < o.Many; i++ {
			url := fmt.Sprintf("%s/%d", o.URL, i)
			wg.Add(1)
			go func() {
				defer wg.Done()
				if send(client, o, url) != 200 {
					mu.Lock()
					a.Failed++
					mu.Unlock()
				}
			}()
		}
		wg.Wait()
	}
	a.Errors = r.errors
	return a
}

func send(client *http.Client, o order, url string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if o.Cancel > 0 {
		time.AfterFunc(time.Duration(o.Cancel)*time.Millisecond, cancel)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	request.Method = o.Method
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		panic(err)
	}
	return response.StatusCode
}

// panicked has a RoundTrip that never returns.
func panicked(transport *http.Transport) {
	defer func() {
		if recover() == nil {
			panic("there was no panic")
		}
	}()
	request, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:1/panic", nil)
	if err != nil {
		panic(err)
	}
	request = request.WithContext(&panicking{context.Background()})
	_, _ = transport.RoundTrip(request) //nolint:bodyclose // there is no response
}

// panicking is a context of a kind that nobody should write.
type panicking struct{ context.Context }

func (*panicking) Value(interface{}) interface{} { panic("no values") }
