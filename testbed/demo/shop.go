package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/process"
)

// entry is the service that the demo sends its requests to.
const entry = "storefront"

// shop is the services of testbed/demo/shop, which get traced.
type shop struct {
	dir      string // of the executables
	logs     string // folder
	services []*service
}

// service is one of them. Its spans are to be found under the base name of its executable, which
// is its own.
type service struct {
	name    string
	callees []string // the services that it calls
	address string
	process *process.Process
}

// newShop lists the services, each after those that it calls.
func newShop(dir, logs string) *shop {
	return &shop{dir: dir, logs: logs, services: []*service{
		{name: "inventory"},
		{name: "payments"},
		{name: "catalogue", callees: []string{"inventory"}},
		{name: "checkout", callees: []string{"inventory", "payments"}},
		{name: entry, callees: []string{"catalogue", "checkout"}},
	}}
}

func (s *shop) service(name string) *service {
	return s.services[slices.IndexFunc(s.services, func(s *service) bool { return s.name == name })]
}

func (s *shop) url() string { return "http://" + s.service(entry).address }

// start returns when all services accept connections. It answers as a step.
func (s *shop) start(ctx context.Context) (string, error) {
	ports, err := loopback.FreePorts(len(s.services))
	if err != nil {
		return "", err
	}
	for i, service := range s.services {
		service.address = loopback.Address(ports[i])
		command := exec.Command(filepath.Join(s.dir, service.name),
			"-"+service.name, service.address)
		for _, callee := range service.callees {
			command.Args = append(command.Args, "-"+callee, s.service(callee).address)
		}
		service.process, err = process.Start(command, process.Options{
			Name: service.name, Log: filepath.Join(s.logs, service.name+".log"), Terminate: true,
		})
		if err != nil {
			return "", err
		}
		if err := service.process.Await(ctx, patience, service.accepts); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s, and %d services behind it, after", s.url(), len(s.services)-1), nil
}

// accepts fails while nobody listens.
func (s *service) accepts(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// stop ends the services, each before those that it calls. It is safe where only some were started.
func (s *shop) stop() error {
	var errs []error
	for _, service := range slices.Backward(s.services) {
		errs = append(errs, service.process.Stop())
	}
	return errors.Join(errs...)
}

// visit makes requests that bring every service something to do.
func (s *shop) visit(ctx context.Context) error {
	for _, c := range readTraffic().Visit {
		if _, err := c.make(ctx, s.url(), false); err != nil {
			return err
		}
	}
	return nil
}
