package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
)

// serviceName is what the storefront's spans are to be found under: the base
// name of its executable.
const serviceName = "storefront"

// storefront is the service that gets traced: see testbed/shop/storefront.
type storefront struct {
	binary  string
	address string
	process *process
}

func (s *storefront) url() string { return "http://" + s.address }

// start returns when the storefront serves.
func (s *storefront) start(ctx context.Context, dir string, client *http.Client) error {
	var err error
	if s.process, err = launch(dir, "storefront", exec.Command(s.binary, "-listen", s.address)); err != nil {
		return err
	}
	return await(ctx, storefrontDeadline, s.process, func(ctx context.Context) error {
		return s.health(ctx, client)
	})
}

func (s *storefront) health(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("GET %s: %s", request.URL, response.Status)
	}
	return nil
}
