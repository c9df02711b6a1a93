// Package chain tests that a request is one trace, whatever it passes: six services, with many
// requests at a time, each with an id of its own that all of its spans must agree on. It needs
// root.
package chain

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/netns"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var requests = flag.Int("requests", 3000,
	"how many requests pass the chain; the whole test is of 100000")

const (
	services = 6
	clients  = 200
)

// builds are what the services are built with: the requests pass old and new.
var builds = [services]target.Build{
	build("1.27.4", "1.85.0"),
	build("1.22.12", "1.69.4"),
	build("1.27.4", "1.85.0"),
	build("1.24.13", "1.75.0"),
	build("1.22.12", "1.69.4"),
	build("1.27.4", "1.85.0"),
}

func build(goVersion, grpc string) target.Build {
	return target.GRPC("testbed/targets/peer", goVersion, grpc, target.Stripped)
}

// service is what one of the chain's serves, and the order that it forwards requests by.
type service struct {
	listener string
	order
}

// order is one of a peer's.
type order struct {
	Protocol, Name, Address, Own string
	TLS, Close, Pooled           bool
}

// chained are HTTP/1, a unary call of gRPC, HTTP/2, a pool of workers behind channels, a stream of
// gRPC with a call for each message, and HTTP/1.
var chained = [services]service{
	{"http ipv4", order{Protocol: "unary", Name: "hop2"}},
	{"grpc ipv4", order{Protocol: "http2", Name: "hop3", TLS: true}},
	{"http tls", order{Protocol: "http1", Name: "hop4"}},
	{"http ipv4", order{Protocol: "stream", Name: "chain", Pooled: true}},
	{"grpc ipv4", order{Protocol: "http1", Name: "hop6"}},
	{"http ipv4", order{}},
}

// chain is the services at work.
type chain struct {
	*tracing.Tracer
	spans *spans

	executables [services]string
	arguments   [services][]string
	running     [services]*target.Server
	addresses   [services]string
	form        form

	places []netns.Namespace // where they are, in turn; none: where the test is
	hosts  []string
}

// form is how requests pass the chain.
type form struct {
	close bool // a connection for each
	own   bool // the third service says itself whose child its call is
}

// where says in which namespaces the services are, and their addresses there.
type where struct {
	places []netns.Namespace
	hosts  []string
}

// start starts all services and traces them, each as a service of its own.
func start(t *testing.T, w where, f form) *chain {
	t.Helper()
	c := &chain{spans: newSpans(), form: f, places: w.places, hosts: w.hosts}
	folder := t.TempDir()
	config := engine.Config{
		RingBufferSize: 64 << 20,
		Inject:         engine.InjectAuto,
	} // where the kernel allows it
	for i := range services {
		c.executables[i] = filepath.Join(folder, serviceName(i+1))
		place(t, target.MustCompile(t, builds[i]), c.executables[i])
		config.Targets = append(config.Targets,
			engine.Target{Exe: c.executables[i], ServiceName: serviceName(i + 1)})
	}
	for i := services - 1; i >= 0; i-- {
		s := chained[i]
		s.Close = f.close
		if f.own && i == 2 {
			s.Own = "set"
		}
		if i+1 < services {
			s.Address = c.addresses[i+1]
		}
		text, err := json.Marshal(s.order)
		if err != nil {
			t.Fatal(err)
		}
		c.arguments[i] = []string{"-host", c.host(i), "-forward", string(text)}
		c.run(t, i)
		c.addresses[i] = c.running[i].Addresses(t)[s.listener]
		// when it is started again
		c.arguments[i] = append(c.arguments[i], "-again", c.running[i].Address)
	}
	t.Cleanup(func() {
		for _, s := range c.running {
			if err := s.Stop(); err != nil {
				t.Errorf("a service does not end well: %v", err)
			}
		}
	})
	logger := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
		zapcore.Lock(os.Stderr), zap.WarnLevel))
	c.Tracer = tracing.StartWith(t, config, logger, c.spans.consume)
	c.AwaitTracing(t, services)
	return c
}

func serviceName(hop int) string { return fmt.Sprintf("hop%d", hop) }

// place copies a program to where it runs.
func place(t *testing.T, executable, path string) {
	t.Helper()
	from, err := os.Open(executable)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
}

// host is the address of a service's host.
func (c *chain) host(service int) string {
	if len(c.hosts) == 0 {
		return "127.0.0.1"
	}
	return c.hosts[service%len(c.hosts)]
}

// via is how to do something where a service is: see process.Options.
func (c *chain) via(service int) func(func() error) error {
	if len(c.places) == 0 {
		return nil
	}
	return c.places[service%len(c.places)].Do
}

// in does something where a service is.
func (c *chain) in(service int, do func() error) error {
	if via := c.via(service); via != nil {
		return via(do)
	}
	return do()
}

func (c *chain) run(t *testing.T, service int) {
	t.Helper()
	var err error
	command := exec.Command(c.executables[service], c.arguments[service]...)
	c.running[service], err = target.RunCommand(command, c.via(service))
	if err != nil {
		t.Fatalf("start %s: %v", serviceName(service+1), err)
	}
}

// restart kills a service, and starts it again where it was.
func (c *chain) restart(t *testing.T, service int) {
	t.Helper()
	if err := c.running[service].Kill(); err != nil {
		t.Fatal(err)
	}
	c.run(t, service)
}
