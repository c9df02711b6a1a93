package target

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/load"
)

// Load sends GET requests to path over so many connections at once, each as
// soon as its last one was answered, until stop is closed. It returns how many
// were answered; a connection that breaks is opened again.
func (s *Server) Load(t testing.TB, connections int, path string, stop <-chan struct{}) int {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	url := "http://" + s.Address + path
	result, err := load.Run(ctx, load.Options{URL: url, Connections: connections})
	if err != nil {
		t.Error(err)
		return 0
	}
	return result.Answered
}

// Get makes one request over a connection of its own.
func (s *Server) Get(path string) error {
	once := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: once, Timeout: 20 * time.Second}
	response, err := client.Get("http://" + s.Address + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
