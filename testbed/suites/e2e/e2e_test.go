package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/testbed/harness/sink"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

var build = target.Build{
	Source: "testbed/targets/nethttp", Go: "1.26.8",
	Flags: []string{target.Stripped},
}

func startSink(t *testing.T) *sink.Sink {
	t.Helper()
	s, err := sink.Start(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Port()
}

func await(t *testing.T, s *sink.Sink, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Await(ctx, n); err != nil {
		t.Fatal(err)
	}
}

func TestEveryRequestOfAnUnmodifiedServerArrivesAsASpan(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, build))
	backend := startSink(t)
	port := portOf(t, server.Address)
	collector := run(t, configuration(targets(settings{"port": port, "service_name": "checkout"}),
		backend.Address()))
	traces(t, collector)
	const requests = 200
	for i := range requests {
		if err := server.Get(fmt.Sprintf("/hello/%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := collector.Stop(); err != nil {
		t.Fatalf("the collector did not end well: %v", err)
	}
	spans := backend.Spans()
	paths := map[any]bool{}
	for _, span := range spans {
		paths[span.Values()["url.path"]] = true
		if span.Resource["service.name"] != "checkout" || span.Name() != "GET /hello/{name}" {
			t.Errorf("a span %q of service %v", span.Name(), span.Resource["service.name"])
		}
	}
	if len(spans) != requests || len(paths) != requests {
		t.Errorf("%d spans with %d paths of %d requests", len(spans), len(paths), requests)
	}
}

func TestAServerStartedAfterTheCollectorIsFoundByItsPort(t *testing.T) {
	executable := target.MustCompile(t, build)
	first := target.Start(t, executable) // only to find a port that is free
	address := first.Address
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	backend := startSink(t)
	port := portOf(t, address)
	collector := run(t, configuration(targets(settings{"port": port}), backend.Address()))
	if err := collector.AwaitReady(t.Context(), tracing.Patience); err != nil {
		t.Fatal(err)
	}
	server := target.Start(t, executable, "-listen", address)
	traces(t, collector)
	if err := server.Get("/hello/late"); err != nil {
		t.Fatal(err)
	}
	await(t, backend, 1)
}

func TestACollectorKilledUnderLoadHurtsNobodyAndTheNextOneWorks(t *testing.T) {
	executable := target.MustCompile(t, build)
	server := target.Start(t, executable)
	backend := startSink(t)
	config := configuration(targets(settings{"exe": executable}), backend.Address())
	collector := run(t, config)
	traces(t, collector)
	loading, stop := context.WithCancel(context.Background())
	defer stop()
	answered := make(chan int)
	go func() { answered <- server.Load(loading, t, 8, "/hello/load") }()
	await(t, backend, 1000)
	select {
	case <-collector.Ended():
		t.Fatal("the collector has ended by itself")
	default:
	}
	if err := collector.Kill(); err != nil {
		t.Fatal(err)
	}
	before := server.Served(t)
	for server.Served(t) < before+1000 { // it serves on
		time.Sleep(10 * time.Millisecond)
	}
	backend.Reset()
	successor := run(t, config)
	traces(t, successor)
	await(t, backend, 1000)
	stop()
	if n, served := <-answered, server.Served(t); n != served {
		t.Errorf("%d requests were answered, %d were served", n, served)
	}
	if err := successor.Stop(); err != nil {
		t.Errorf("the second collector did not end well: %v", err)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("the target did not end well: %v", err)
	}
}

func TestAWrongConfigurationFailsAtStartWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		receiver settings
		want     string
	}{
		"no target":     {targets(), "exe: /usr/local/bin/*"},
		"a wrong key":   {targets(settings{"exec": "/bin/a"}), "exec"},
		"a broken glob": {targets(settings{"exe": "/bin/[a"}), "targets[0].exe"},
	} {
		t.Run(name, func(t *testing.T) {
			collector := run(t, configuration(c.receiver, "127.0.0.1:1"))
			if err := collector.Wait(tracing.Patience); err == nil {
				t.Error("it started")
			}
			if text := log(t, collector); !strings.Contains(text, c.want) {
				t.Errorf("the error does not say %q:\n%s", c.want, text)
			}
		})
	}
}

func TestTheDemoDrawsATraceThatItReadBackFromJaeger(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.Command("make", "demo", "ENGINE=", "DEMO=-once")
	demo.Dir = root
	var output bytes.Buffer
	demo.Stdout, demo.Stderr = &output, os.Stderr
	if err := demo.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	if diff := cmp.Diff(checkoutTree, drawnTree(output.String())); diff != "" {
		t.Errorf("the tree that is drawn (-want +got):\n%s\nof\n%s", diff, output.String())
	}
	for _, want := range []string{
		"checkout    Server", "catalogue   Server", "payments    Server",
		"inventory   Server", "holds all 15 spans",
	} {
		if !strings.Contains(output.String(), want) {
			t.Errorf("the demo does not show %q:\n%s", want, output.String())
		}
	}
}

// checkoutTree is what a cart of two products leads to when it is checked out.
const checkoutTree = `storefront  GET /checkout
storefront  └ GET
catalogue     └ GET /products/{id}
catalogue       └ shop.v1.Inventory/GetStock
inventory         └ shop.v1.Inventory/GetStock
storefront  └ GET
catalogue     └ GET /products/{id}
catalogue       └ shop.v1.Inventory/GetStock
inventory         └ shop.v1.Inventory/GetStock
storefront  └ shop.v1.Checkout/PlaceOrder
checkout      └ shop.v1.Checkout/PlaceOrder
checkout        └ shop.v1.Inventory/Reserve
inventory         └ shop.v1.Inventory/Reserve
checkout        └ POST
payments          └ POST /charges
`

// drawnTree is the column of spans in the demo's drawing.
func drawnTree(output string) string {
	_, drawing, _ := strings.Cut(output, "\nservice     span ")
	header, rows, _ := strings.Cut(drawing, "\n")
	before, _, _ := strings.Cut(header, "0") // where the bars begin
	width := len("service     span ") + len(before)
	var b strings.Builder
	for line := range strings.Lines(rows) {
		if runes := []rune(line); runes[0] != ' ' && len(runes) > width {
			b.WriteString(strings.TrimRight(string(runes[:width]), " ") + "\n")
		}
	}
	return b.String()
}
