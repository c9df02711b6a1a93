package inject

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// request is one that a program serves by sending others.
type request struct {
	name string
	// of the context that it comes with, if it does, and of that which these are to carry, if its
	// id is sampled
	flags, want    string
	states, passes string // lines of tracestate that it comes with, and what these are to carry
	counted        uint64 // as not passed on, with each that is served
}

// ofLength is a tracestate of so many bytes.
func ofLength(n int) string {
	const member = "vendor=0123456789,"
	state := strings.Repeat(member, n/len(member)) + "z=" + strings.Repeat("v", len(member))
	return state[:n]
}

// requests are all kinds of them for a sampler.
func requests(sampler engine.Sampler) []request {
	switch {
	case sampler == engine.Sampler{}:
		all := []request{
			{name: "root", want: "01"},
			{name: "none", flags: "01", want: "01"},
			{name: "lines", flags: "01", want: "01", states: "a=1,b=2\nc=3", passes: "a=1,b=2,c=3"},
			{
				name: "random", flags: "03", want: "03", states: "ot=th:8;rv:ffffffffffffff",
				passes: "ot=th:8;rv:ffffffffffffff",
			},
			{name: "too-long", flags: "01", want: "01", states: ofLength(513), counted: 1},
			{name: "not-sampled", flags: "00", want: "00", states: "a=1", passes: "a=1"},
		}
		// HPACK tells lengths in one, two or three bytes.
		for _, n := range []int{3, 126, 127, 128, 253, 254, 255, 300, 512} {
			state := ofLength(n)
			all = append(all, request{
				name: fmt.Sprint("length-", n), flags: "01", want: "01",
				states: state, passes: state,
			})
		}
		return all
	case sampler.IgnoreParent:
		return []request{
			{name: "root", want: "03", passes: sampler.RootState()},
			{name: "none", flags: "01", want: "01", passes: sampler.RootState()},
			{name: "state", flags: "01", want: "01", states: "a=1", counted: 1},
		}
	}
	return []request{
		{name: "root", want: "03", passes: sampler.RootState()},
		{name: "none", flags: "01", want: "01"},
		{name: "state", flags: "01", want: "01", states: "a=1,ot=th:8", passes: "a=1,ot=th:8"},
	}
}

// TestRequestsCarryTheTracestateOfTheirTrace has two forms, as
// TestRequestsCarryTheContextOfTheirSpan does.
func TestRequestsCarryTheTracestateOfTheirTrace(t *testing.T) {
	name, refused := mode(t)
	half, err := engine.NewSampler(0.5, true)
	if err != nil {
		t.Fatal(err)
	}
	alone := half
	alone.IgnoreParent = true
	for _, b := range builds() {
		t.Run(b.String()+" "+name, func(t *testing.T) {
			s := startServer(t)
			caller := target.Start(t, target.MustCompile(t, b.Build))
			for name, sampler := range map[string]engine.Sampler{
				"all": {}, "half": half,
				"half of all": alone,
			} {
				t.Run(name, func(t *testing.T) {
					tracer := tracing.Start(t,
						engine.Config{
							Targets: []engine.Target{{PID: caller.PID}},
							Inject:  engine.InjectAuto, Sampler: sampler,
						})
					tracer.AwaitTracing(t, 1)
					for _, served := range []string{"http", "grpc"} {
						for _, form := range []string{"http1", "http2", "unary"} {
							t.Run(served+" "+form, func(t *testing.T) {
								testStates(t, b, s, caller, tracer, served, form, sampler, refused)
							})
						}
					}
				})
			}
		})
	}
}

// sent are how many requests each one that is served sends: one after the other, over a connection
// that has room for it after the first.
const sent = 4

func testStates(t *testing.T, b build, s *server, caller *target.Server, tracer *tracing.Tracer,
	served, form string, sampler engine.Sampler, refused bool,
) {
	before := tracer.MustStats(t)
	var counted uint64
	carried := 0
	for number, r := range requests(sampler) {
		o := order{
			Name: served + "-" + form + "-" + r.name, Requests: sent, AtOnce: 1,
			Protocol: form, TLS: form == "http2" && !b.withoutTLS(), Lines: 60,
		}.to(s)
		trace := fmt.Sprintf("%032x", 0xabc0000+number)
		if sampler != (engine.Sampler{}) { // so that it is sampled, whoever decides
			trace = trace[:18] + "ff" + trace[20:]
		}
		header := http.Header{}
		if r.flags != "" {
			header.Set("traceparent", "00-"+trace+"-000000000000000f-"+r.flags)
		}
		if r.states != "" {
			header["Tracestate"] = strings.Split(r.states, "\n")
		}
		ask(t, caller, served, o, header)
		tracer.Settle(t)
		arrived := s.taken(t)
		for i := range sent {
			path := o.path(i)
			if len(arrived[path]) != 1 {
				t.Errorf("%s arrived %d times", path, len(arrived[path]))
				continue
			}
			got := lower(arrived[path][0].Header)
			parent, state := got["traceparent"], got["tracestate"]
			want, passes := r.want, r.passes
			// by its random id
			if r.flags == "" && len(parent) == 1 && strings.HasSuffix(parent[0], "-02") {
				want, passes = "02", ""
			}
			switch {
			case len(parent) == 0:
				if len(state) != 0 {
					t.Errorf("%s carries a tracestate alone: %q", path, state)
				}
				if !refused && !(order{expect: afterFirst, Protocol: form}).mayLack(uint64(i+1)) {
					t.Errorf("%s carries nothing", path)
				}
			case refused:
				t.Errorf("%s carries %q", path, parent)
			case len(parent) != 1 || !strings.HasSuffix(parent[0], "-"+want) || r.flags != "" &&
				!strings.HasPrefix(parent[0], "00-"+trace+"-"):
				t.Errorf("%s carries %q, not of the trace %s with flags %s", path, parent, trace,
					want)
			case runtime.GOARCH == "arm64" && form != "http1" && len(state) == 0 && passes != "":
				counted++ // there is but the room that the frame's buffer has
			case strings.Join(state, "\n") != passes:
				t.Errorf("%s carries the tracestate %q, not %q", path, state, passes)
			default:
				carried++
			}
		}
		counted += r.counted
	}
	if refused {
		counted = 0
	} else if carried == 0 && form == "http1" {
		t.Error("no request carries anything")
	}
	if n := tracer.MustStats(
		t,
	).TracestatesNotInjected - before.TracestatesNotInjected; n != counted {
		t.Errorf("%d tracestates are counted as not passed on, and not %d", n, counted)
	}
	t.Logf("%d requests carried what they had to", carried)
}

// ask has a program follow an order for a request that it serves.
func ask(t *testing.T, caller *target.Server, served string, o order, header http.Header) {
	t.Helper()
	question, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	addresses := caller.Addresses(t)
	if served == "grpc" {
		c, err := grpc.NewClient(addresses["grpc ipv4"],
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD(lower(header)))
		if err := c.Invoke(ctx, "/relay/"+o.Name, wrapperspb.String(string(question)),
			new(wrapperspb.StringValue)); err != nil {
			t.Error(err)
		}
		return
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		"http://"+addresses["http ipv4"]+"/relay", strings.NewReader(string(question)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var errs []string
	if err := json.NewDecoder(response.Body).Decode(&errs); err != nil {
		t.Fatal(err)
	}
	if len(errs) > 0 {
		t.Errorf("%d of %d requests failed: %s", len(errs), o.Requests, errs[0])
	}
}

// lower has the names of headers as HTTP/2 has them.
func lower(header map[string][]string) map[string][]string {
	all := map[string][]string{}
	for name, values := range header {
		name = strings.ToLower(name)
		all[name] = append(all[name], values...)
	}
	return all
}
