package chain

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
	"github.com/spanprobe/spanprobe/testbed/harness/tree"
)

// load has requests pass the chain, many at a time, until so many were answered well. Some come
// from a client that traces itself. What there is to do on the way is done after equal parts. It
// returns which requests were answered well: those that fail are made as others.
func (c *chain) load(t *testing.T, wanted int, onTheWay ...func()) []bool {
	t.Helper()
	var dialer net.Dialer
	transport := &http.Transport{
		MaxIdleConnsPerHost: clients, DisableKeepAlives: c.form.close,
		DialContext: func(ctx context.Context, network, address string) (made net.Conn, err error) {
			err = c.in(0, func() error {
				made, err = dialer.DialContext(ctx, network, address)
				return err
			})
			return made, err
		},
	}
	defer transport.CloseIdleConnections()
	// on a machine that is emulated, too
	client := &http.Client{Transport: transport, Timeout: 10 * tracing.Patience}

	r := &run{wanted: wanted, parts: make([]chan struct{}, len(onTheWay))}
	for i := range r.parts {
		r.parts[i] = make(chan struct{})
	}
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for id, ok := r.next(); ok; id, ok = r.next() {
				if err := c.request(client, id); err != nil {
					r.fail(t, id, err)
					// else the time of a restart would be full of them
					time.Sleep(20 * time.Millisecond)
				} else {
					r.done(id)
				}
			}
		})
	}
	for i, do := range onTheWay {
		<-r.parts[i]
		do()
	}
	wg.Wait()
	t.Logf("%d requests, of which %d were answered well", len(r.answered), r.well)
	return r.answered
}

// run is the requests of a load.
type run struct {
	wanted int
	parts  []chan struct{} // closed when a part of them was answered well

	mu       sync.Mutex
	answered []bool // well, by the id of the request
	well     int
	failed   int
	inFlight int
}

// next is the id of the next request, if there is to be one.
func (r *run) next() (id int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.well+r.inFlight >= r.wanted || r.failed > r.wanted {
		r.closeParts()
		return 0, false
	}
	r.inFlight++
	r.answered = append(r.answered, false)
	return len(r.answered) - 1, true
}

// closeParts lets go on who waits for a part that is done, or never will be.
func (r *run) closeParts() {
	for i, part := range r.parts {
		reached := r.well >= r.wanted*(i+1)/(len(r.parts)+1) || r.failed > r.wanted
		select {
		case <-part:
		default:
			if reached {
				close(part)
			}
		}
	}
}

func (r *run) done(id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	r.answered[id] = true
	r.well++
	r.closeParts()
}

func (r *run) fail(t *testing.T, id int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	if r.failed++; r.failed <= 3 {
		t.Logf("request %d: %v", id, err)
	} else if r.failed == r.wanted+1 {
		t.Errorf("more than %d requests failed", r.wanted)
	}
}

// remote is the parent that a request has brought along.
func remote(id int) (parent tree.Remote, ok bool) {
	return tree.Remote{
		Trace: fmt.Sprintf("0a%030d", id),
		Span:  fmt.Sprintf("0a%014d", id),
	}, id%4 == 0
}

// own is the parent that the third service gives its call.
func own(id int) tree.Remote {
	return tree.Remote{Trace: fmt.Sprintf("%032x", id+1), Span: fmt.Sprintf("%016x", id+1)}
}

func (c *chain) request(client *http.Client, id int) error {
	request, err := http.NewRequest(http.MethodGet,
		fmt.Sprintf("http://%s/hop1/%d", c.addresses[0], id), nil)
	if err != nil {
		return err
	}
	if parent, ok := remote(id); ok {
		request.Header.Set("traceparent", "00-"+parent.Trace+"-"+parent.Span+"-01")
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return err
}
