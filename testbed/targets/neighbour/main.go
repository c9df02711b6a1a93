// Command neighbour is a server of requests that make a call after a while. It can also take as
// many places for the contexts of requests as it can get.
//
// It says its address. A request names the call (`call`), and how many milliseconds that waits
// (`wait`). Its path says who makes the call:
//
//	/handler    the handler, with the request's context
//	/goroutine  a goroutine that the handler's goroutine has started when the handler has waited,
//	            with no context
//	/after      a goroutine that goes on when the request has ended, with the request's context
//
// It answers a line with the count of requests that it has sent to itself, after it has done what
// the line says: "answer 8" sends requests over so many connections from then on, "crowd 8"
// requests that start many goroutines, "stop" ends both.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	f := &flood{connections: make(chan net.Conn), stopped: make(chan struct{})}
	for _, l := range []net.Listener{listener, f} {
		go func() {
			err := http.Serve(l, http.HandlerFunc(serve)) //nolint:gosec // no peer is slow
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}()
	}
	lines.Serve(listener.Addr().String(), func(line string) interface{} {
		var order string
		var n int
		if got, _ := fmt.Sscan(line, &order, &n); got > 0 {
			f.follow(order, n)
		}
		return f.answered.Load()
	})
}

func serve(w http.ResponseWriter, r *http.Request) {
	var under sync.WaitGroup
	switch r.URL.Path {
	case "/handler":
		pause(r)
		call(r.Context(), r)
	case "/goroutine":
		pause(r)
		under.Add(1)
		go func() {
			go func() {
				defer under.Done()
				call(context.Background(), r)
			}()
		}()
	case "/after":
		go func() {
			pause(r)
			call(context.WithoutCancel(r.Context()), r)
		}()
	case "/crowd":
		under.Add(200)
		for range 200 {
			go under.Done()
		}
	}
	under.Wait()
	w.WriteHeader(http.StatusNoContent)
}

func pause(r *http.Request) {
	wait, err := strconv.Atoi(r.FormValue("wait"))
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Duration(wait) * time.Millisecond)
}

func call(ctx context.Context, r *http.Request) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.FormValue("call"), nil)
	if err != nil {
		panic(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		panic(err)
	}
}

// flood is a net.Listener of pipes in the memory of the program.
type flood struct {
	connections chan net.Conn
	stopped     chan struct{}
	answered    atomic.Int64
}

func (f *flood) follow(order string, n int) {
	if order == "stop" {
		close(f.stopped)
		return
	}
	for range n {
		go f.ask("/" + order)
	}
}

// ask sends requests over a connection of its own, each as soon as the last was answered.
func (f *flood) ask(path string) {
	client, server := net.Pipe()
	defer client.Close()
	f.connections <- server
	answers := bufio.NewReader(client)
	request := "GET " + path + " HTTP/1.1\r\nHost: flood\r\n" +
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n" +
		"Tracestate: flood=1\r\n\r\n"
	for {
		select {
		case <-f.stopped:
			return
		default:
		}
		if _, err := io.WriteString(client, request); err != nil {
			panic(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
		f.answered.Add(1)
	}
}

// Accept makes a net.Listener of it.
func (f *flood) Accept() (net.Conn, error) { return <-f.connections, nil }

// Close is that of a net.Listener.
func (f *flood) Close() error { return nil }

// Addr is that of a net.Listener.
func (f *flood) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
