package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
)

// entry is the service that the demo sends its requests to.
const entry = "storefront"

// shop is the services of testbed/demo/shop, which get traced.
type shop struct {
	dir      string // of the executables
	services []*service
}

// service is one of them. Its spans are to be found under the base name of its
// executable, which is its own.
type service struct {
	name    string
	callees []string // the services that it calls
	address string
	process *process
}

// newShop lists the services, each after those that it calls.
func newShop(dir string) *shop {
	return &shop{dir: dir, services: []*service{
		{name: "inventory"},
		{name: "payments"},
		{name: "catalogue", callees: []string{"inventory"}},
		{name: "checkout", callees: []string{"inventory", "payments"}},
		{name: entry, callees: []string{"catalogue", "checkout"}},
	}}
}

func (s *shop) service(name string) *service {
	for _, service := range s.services {
		if service.name == name {
			return service
		}
	}
	panic("the shop has no service " + name)
}

func (s *shop) url() string { return "http://" + s.service(entry).address }

// names are those of the services, those that call before those that they call.
func (s *shop) names() []string {
	var names []string
	for _, service := range slices.Backward(s.services) {
		names = append(names, service.name)
	}
	return names
}

// start returns when all services accept connections. Each gets one of the ports.
func (s *shop) start(ctx context.Context, dir string, ports []int) error {
	for i, service := range s.services {
		service.address = loopback(ports[i])
		arguments := []string{"-listen", service.address}
		for _, callee := range service.callees {
			arguments = append(arguments, "-"+callee, s.service(callee).address)
		}
		var err error
		if service.process, err = launch(dir, service.name, exec.Command(filepath.Join(s.dir, service.name), arguments...)); err != nil {
			return err
		}
	}
	for _, service := range s.services {
		if err := await(ctx, serviceDeadline, service.process, service.accepts); err != nil {
			return err
		}
	}
	return nil
}

// accepts fails while nobody listens.
func (s *service) accepts(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// stop ends the services, each before those that it calls. It is safe where only
// some were started.
func (s *shop) stop() error {
	var errs []error
	for _, name := range s.names() {
		errs = append(errs, s.service(name).process.stop())
	}
	return errors.Join(errs...)
}

func (s *shop) processes() []*process {
	var all []*process
	for _, service := range s.services {
		all = append(all, service.process)
	}
	return all
}

// visit makes requests that bring every service something to do.
func (s *shop) visit(ctx context.Context, client *http.Client) error {
	for _, c := range []call{
		{method: "POST", target: "/cart", body: `{"cart":"first","product":"blanket","quantity":1}`, status: http.StatusCreated},
		{method: "GET", target: "/checkout?cart=first", status: http.StatusOK},
		{method: "DELETE", target: "/cart/first", status: http.StatusNoContent},
	} {
		if _, err := c.make(ctx, client, s.url(), false); err != nil {
			return err
		}
	}
	return nil
}
