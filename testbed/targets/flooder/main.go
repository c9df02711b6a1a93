// Command flooder is a server that takes as much of what processes share as it can get. Its clients
// are its own, over pipes in its memory: an unprivileged user may have few descriptors.
//
// It says that it is ready. It answers a line with the count of requests that a handler holds, or
// that were answered, after it has done what the line says: "hold 20000" has so many more requests
// begin, "answer 8" answers requests of so many connections from then on, "stop" ends both.
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

type flood struct {
	connections chan net.Conn
	released    chan struct{}

	held, answered atomic.Int64
}

func main() {
	f := &flood{connections: make(chan net.Conn), released: make(chan struct{})}
	go func() {
		fmt.Fprintln(os.Stderr, http.Serve(f, f)) //nolint:gosec // no peer is slow
		os.Exit(1)
	}()
	lines.Serve("ready", func(line string) interface{} {
		var order string
		var n int
		if got, _ := fmt.Sscan(line, &order, &n); got > 0 {
			f.follow(order, n)
		}
		return f.held.Load() + f.answered.Load()
	})
}

func (f *flood) follow(order string, n int) {
	switch order {
	case "hold":
		for range n {
			go f.ask("/held", 1)
		}
	case "answer":
		for range n {
			go f.ask("/answered", 1<<62)
		}
	case "stop":
		close(f.released)
	}
}

// ask sends requests over a connection of its own, each as soon as the last was answered.
func (f *flood) ask(path string, n int) {
	client, server := net.Pipe()
	defer client.Close()
	f.connections <- server
	answers := bufio.NewReader(client)
	for range n {
		select {
		case <-f.released:
			return
		default:
		}
		_, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: flooder\r\n\r\n", path)
		if err != nil {
			panic(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
	}
}

func (f *flood) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNoContent)
	if r.URL.Path != "/held" {
		f.answered.Add(1)
		return
	}
	f.held.Add(1)
	<-f.released
	f.held.Add(-1)
}

// Accept makes a net.Listener of it.
func (f *flood) Accept() (net.Conn, error) { return <-f.connections, nil }

// Close is that of a net.Listener.
func (f *flood) Close() error { return nil }

// Addr is that of a net.Listener.
func (f *flood) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
