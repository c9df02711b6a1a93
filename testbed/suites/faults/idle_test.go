package faults

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// The programs keep the entries of some connections between two requests.
func TestIdleConnectionsAreNoRequestsInFlightAndTakeNoRoom(t *testing.T) {
	executable := target.MustCompile(t, build)
	const (
		connections = 60 // more than there is room for, and than are kept
		requests    = 3  // over each
		generations = 3
	)
	tracer := tracing.Start(t, engine.Config{
		Targets:        []engine.Target{{Exe: executable}},
		MaxActiveSpans: 20,
	})
	for generation := range generations {
		server := target.Start(t, executable)
		tracer.AwaitTracing(t, 1)
		before := tracer.MustStats(t).Operations
		clients := make([]http.Client, connections)
		for range requests {
			for i := range clients {
				if clients[i].Transport == nil {
					clients[i].Transport = &http.Transport{}
				}
				get(t, &clients[i], "http://"+server.Address+"/hello/idle")
			}
		}
		if n := tracer.MustStats(t).Operations - before; n != connections*requests {
			t.Errorf("generation %d: %d operations of %d requests", generation, n,
				connections*requests)
		}
		if generation%2 == 1 { // else the server ends before its connections do
			for i := range clients {
				clients[i].CloseIdleConnections()
			}
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		tracer.AwaitTracing(t, 0)
		time.Sleep(1500 * time.Millisecond) // until what ended processes left was swept
	}
	stats := tracer.Settle(t)
	if stats.Emitted != generations*connections*requests || tracing.Lost(stats) != 0 {
		t.Errorf(
			"%d servers served %d requests over each of %d connections, one after the other: %+v",
			generations, requests, connections, stats,
		)
	}
	if err := tracer.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if stats := tracer.MustStats(t); tracing.Lost(stats) != 0 {
		t.Errorf("lost at the shutdown: %+v", stats.Lost)
	}
}

func get(t *testing.T, client *http.Client, url string) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
}
