package connections

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// A server answers them one after the other; each is a request of nobody that is traced.
func TestPipelinedRequestsOfAnUntracedClientHaveNoParent(t *testing.T) {
	server := startPeer(t, newest)
	tracer := trace(t, server)
	c, err := net.Dial("tcp", server.addresses["http ipv4"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pipeline(t, c, "pipelined", 0, many)
	compare(t, tracer, []link{{
		order: order{Name: "pipelined", Requests: many}, untraced: theClient,
		one: true,
	}})
}

// pipeline sends so many requests before it reads the first answer.
func pipeline(t *testing.T, c net.Conn, name string, first, n int) {
	t.Helper()
	var requests strings.Builder
	for i := range n {
		fmt.Fprintf(&requests, "GET /%s/%d HTTP/1.1\r\nHost: test\r\n\r\n", name, first+i)
	}
	if _, err := io.WriteString(c, requests.String()); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	for range n {
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
}

// relay copies bytes between those who connect to it and a server, and returns its address.
func relay(t *testing.T, server string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var relaying sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		relaying.Wait()
	})
	relaying.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				t.Error(err)
				from.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				relaying.Go(func() {
					defer way[1].Close()
					_, _ = io.Copy(way[1], way[0]) // until either end closes it
				})
			}
		}
	})
	return listener.Addr().String()
}

// The connection that the server knows is another than the client's.
func TestAProxyBetweenTheTwoGivesNoParentRatherThanAGuess(t *testing.T) {
	client, server := startPeer(t, newest), startPeer(t, newest)
	tracer := trace(t, client, server)
	var list []link
	for _, l := range links(ends{newest, newest}) {
		if !strings.HasSuffix(l.listener, " ipv4") && !strings.HasSuffix(l.listener, " tls") {
			continue // those are no matter of addresses of IPv4
		}
		l.Network, l.Address, l.expect = "tcp", relay(t, server.addresses[l.listener]), apart
		client.follow(t, l, server)
		list = append(list, l)
	}
	compare(t, tracer, list)
	for _, p := range []*peer{client, server} {
		if err := p.Stop(); err != nil { // before the relays do, which wait for their connections
			t.Error(err)
		}
	}
}

// An address may be another's as soon as a connection is gone.
func TestTheNextConnectionFromAnAddressIsAnother(t *testing.T) {
	client, server := startPeer(t, newest), startPeer(t, newest)
	tracer := trace(t, client, server)
	local, err := net.ResolveTCPAddr("tcp", loopback.Refusing(t))
	if err != nil {
		t.Fatal(err)
	}
	traced := link{order: order{
		Name: "traced", Requests: few, AtOnce: 1, Protocol: "http1", Close: true, Reset: true,
		LocalPort: local.Port,
	}, listener: "http ipv4"}
	untraced := link{order: order{Name: "untraced", Requests: few}, untraced: theClient}
	traced.Requests, untraced.Requests = 1, 1
	for i := range few {
		traced.First, untraced.First = i, i
		client.follow(t, traced, server)
		address, err := net.ResolveTCPAddr("tcp", server.addresses["http ipv4"])
		if err != nil {
			t.Fatal(err)
		}
		var c *net.TCPConn
		tracing.Eventually(t, func() bool {
			c, err = net.DialTCP("tcp", local, address)
			return err == nil
		}, "the client to give up its address: %v", &err)
		if err := c.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		pipeline(t, c, untraced.Name, i, 1)
		c.Close()
	}
	traced.First, untraced.First, traced.Requests, untraced.Requests = 0, 0, few, few
	compare(t, tracer, []link{traced, untraced})
}

// A parent that a client that is not traced has sent is the parent.
func TestAHeaderOfAnUntracedClientWins(t *testing.T) {
	server := startPeer(t, newest)
	tracer := trace(t, server)
	var wants []tree.Want
	for i := range few {
		parent := tree.Remote{Trace: fmt.Sprintf("%032x", i+1), Span: fmt.Sprintf("%016x", i+1)}
		path := fmt.Sprintf("/header/%d", i)
		request, err := http.NewRequest(http.MethodGet,
			"http://"+server.addresses["http ipv4"]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("traceparent", "00-"+parent.Trace+"-"+parent.Span+"-01")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		wants = append(wants, tree.Want{Name: tree.Served(path), Remote: parent})
	}
	if report := tree.New(tracer.Await(t, few), tree.Target).Compare("/header/",
		wants); !report.OK() {
		t.Error(report)
	}
}
