// Command flooder is a server that takes as much of what processes share as it can get. Its clients
// are its own, over pipes in its memory: an unprivileged user may have few descriptors.
//
// It says that it is ready. It answers a line with the count of requests that a handler holds, or
// that were answered, after it has done what the line says:
//
//	hold 20000         that many more requests begin, and do not end
//	answer 8 1000000   requests of 8 connections are answered from then on, with so long a header
//	fake 20000         that many requests end in a goroutine with another id than they began in
//	hide 1             a request begins, whose goroutine's memory nobody can read from then on
//	stop 0             requests end that are held, and no more are answered
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

type flood struct {
	connections chan net.Conn
	released    chan struct{}

	held, answered atomic.Int64

	g func() unsafe.Pointer
}

func main() {
	f := &flood{connections: make(chan net.Conn), released: make(chan struct{}), g: gOf()}
	go func() {
		fmt.Fprintln(os.Stderr, http.Serve(f, f)) //nolint:gosec // no peer is slow
		os.Exit(1)
	}()
	lines.Serve("ready", func(line string) interface{} {
		var order string
		var n, header int
		if got, _ := fmt.Sscan(line, &order, &n, &header); got > 0 {
			f.follow(order, n, header)
		}
		return f.held.Load() + f.answered.Load()
	})
}

func (f *flood) follow(order string, n, header int) {
	switch order {
	case "hold":
		for range n {
			go f.ask("/held", 1, "")
		}
	case "answer":
		for range n {
			go f.ask("/answered", 1<<62, strings.Repeat("h", header))
		}
	case "fake":
		go f.ask("/faked", n, "")
	case "hide":
		go f.ask("/hidden", n, "")
	case "stop":
		close(f.released)
	}
}

// ask sends requests over a connection of its own, each as soon as the last was answered.
func (f *flood) ask(path string, n int, header string) {
	client, server := net.Pipe()
	defer client.Close()
	f.connections <- server
	answers := bufio.NewReader(client)
	// A request with a context has no parent to be looked for at the other end of the pipe.
	request := "GET " + path + " HTTP/1.1\r\nHost: flooder\r\nUser-Agent: " + header + "\r\n" +
		"Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n"
	for range n {
		select {
		case <-f.released:
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
	}
}

func (f *flood) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNoContent)
	switch r.URL.Path {
	case "/held":
		f.held.Add(1)
		<-f.released
		f.held.Add(-1)
	case "/faked":
		*id(f.g()) = 1<<40 + f.answered.Add(1)
	case "/hidden":
		hide(id(f.g()))
	default:
		f.answered.Add(1)
	}
}

// Accept makes a net.Listener of it.
func (f *flood) Accept() (net.Conn, error) { return <-f.connections, nil }

// Close is that of a net.Listener.
func (f *flood) Close() error { return nil }

// Addr is that of a net.Listener.
func (f *flood) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
