package target

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long an answer may take that is no matter of speed.
const patience = 20 * time.Second

// Load sends GET requests to path over so many connections at once, each as
// soon as its last one was answered, until stop is closed. It returns how many
// were answered; a connection that breaks is opened again.
func (s *Server) Load(connections int, path string, stop <-chan struct{}) int {
	var answered atomic.Int64
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: patience}
			for {
				select {
				case <-stop:
					return
				default:
				}
				response, err := client.Get("http://" + s.Address + path)
				if err != nil {
					continue
				}
				_, err = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err == nil {
					answered.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(answered.Load())
}

// Get makes one request over a connection of its own.
func (s *Server) Get(path string) error {
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://" + s.Address + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
