package grpc

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/loopback"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// order and outcome are those of the caller.
type order struct {
	Target      string
	Method      string
	Kind        string
	Metadata    map[string]string
	Parent      string
	Timeout     int
	Cancel      int
	Wait        bool
	MaxSend     int
	Leave       string
	TLS         bool
	Config      string
	Interceptor bool
	Stats       bool
	Wrapped     bool
	Close       int
	Begin       bool
	Many        many
}

type many struct{ Goroutines, Calls, Connections int }

type outcome struct {
	Method     string
	Start, End int64
	Code       int
	Error      string
	Network    string
	Peer       string
	Ended      []int
}

func (o outcome) window() window { return window{time.Unix(0, o.Start), time.Unix(0, o.End)} }

func place(t *testing.T, caller *target.Server, o order) []outcome {
	t.Helper()
	var outcomes []outcome
	if err := caller.Order(o, &outcomes); err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// upstreams are the servers that a caller is sent to.
type upstreams struct {
	plain, tls, v6, unix *target.Server
	refusing             string // host:port where nobody listens
}

func startUpstreams(t *testing.T) *upstreams {
	t.Helper()
	executable := target.MustCompile(t, newest.build(serverSource))
	return &upstreams{
		plain: target.Start(t, executable),
		tls:   target.Start(t, executable, "-tls"),
		v6:    target.Start(t, executable, "-listen", "[::1]:0"),
		unix: target.Start(t, executable, "-network", "unix", "-listen",
			filepath.Join(t.TempDir(), "socket")),
		refusing: loopback.Refusing(t),
	}
}
