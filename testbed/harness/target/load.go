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
// soon as its last one was answered, until ctx ends. It returns how many
// were answered; a connection that breaks is opened again.
func (s *Server) Load(ctx context.Context, t testing.TB, connections int, path string) int {
	t.Helper()
	http := load.HTTP{URL: "http://" + s.Address + path, Connections: connections}
	result, err := http.Run(ctx, load.Options{})
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
