package main

import "github.com/spanprobe/spanprobe/internal/model"

// rule says which versions of a module are examined: its releases from the
// oldest on.
type rule struct {
	oldest string
	// requirers are modules whose releases are asked which versions they
	// require. So commits are found that programs used before the module had
	// releases: the go command takes the newest version that any go.mod requires.
	requirers []string
	// also are versions that a proxy may have and not list.
	also []string
	// gone are fields that only older versions have: any other that disappears is an
	// error.
	gone []gone
	// program links what the fields of the module are declared in: the compiler
	// describes no type that a program does not use.
	program string
}

// rules has a rule for each module of which libraries declare fields. What is older
// than the oldest version is traced with the program's own debug information only.
var rules = map[string]rule{
	model.ModuleStd: {
		oldest: "1.17", // arguments are in registers since then
		// First of their minors, or beside a change.
		also: []string{"1.17", "1.17.2", "1.19"},
		gone: []gone{
			{"1.21.0", []string{"runtime._type"}, "it is internal/abi.Type"},
			{"1.23.0", []string{"runtime.itab"}, "it is internal/abi.ITab"},
			{"1.24.0", []string{"runtime.hmap"}, "maps are internal/runtime/maps.Map"},
			{"1.27.0", []string{
				"net/http.http2ClientConn",
				"net/http.http2Framer",
				"net/http.http2HeadersFrameParam",
				"net/http.http2clientStream",
				"net/http.http2responseWriter",
				"net/http.http2responseWriterState",
				"net/http.http2serverConn",
				"net/http.http2stream",
			}, "HTTP/2 is in net/http/internal/http2"},
		},
		program: `package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Host", r.Host)
	})
	go log.Println(http.Get("http://localhost:0/"))
	log.Fatal(http.ListenAndServe("localhost:0", nil))
}
`,
	},
	"golang.org/x/net": {
		oldest: "v0.0.0-20210101000000-000000000000", // the year of Go 1.17
		requirers: []string{
			"github.com/prometheus/client_golang",
			"go.opentelemetry.io/collector",
			"golang.org/x/crypto",
			"golang.org/x/oauth2",
			"golang.org/x/tools",
			"google.golang.org/api",
			"google.golang.org/grpc",
			"k8s.io/client-go",
		},
		program: `package main

import (
	"log"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

func main() {
	if _, err := new(http2.Transport).RoundTrip(new(http.Request)); err != nil {
		log.Print(err)
	}
	connection, err := net.Dial("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	new(http2.Server).ServeConn(connection, &http2.ServeConnOpts{})
}
`,
	},
	"google.golang.org/grpc": {
		// Of October 2020: what distributions of the years after have.
		oldest: "v1.33.0",
		also:   []string{"v1.33.0"},
		gone: []gone{
			{"v1.40.0", []string{"google.golang.org/grpc/internal/status.Error.e"}, "Error.s, a Status, has the message"},
			{"v1.60.0", []string{"google.golang.org/grpc/internal/transport.http2Server.remoteAddr"}, "the address is in http2Server.peer"},
			{"v1.71.0", []string{"google.golang.org/grpc.csAttempt.t"}, "it is csAttempt.transport"},
			{"v1.77.0", []string{
				"google.golang.org/grpc/internal/transport.ClientStream.*Stream",
				"google.golang.org/grpc/internal/transport.ServerStream.*Stream",
			}, "Stream lies in them"},
			{"v1.84.0", []string{"google.golang.org/grpc/internal/transport.bufWriter.buf"}, "bufWriter.bufHandle points to it"},
		},
		program: `package main

import (
	"context"
	"log"
	"net"

	"google.golang.org/grpc"
)

func main() {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.Dial(listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	if err := connection.Invoke(context.Background(), "/a.B/C", nil, nil); err != nil {
		log.Print(err)
	}
	log.Fatal(grpc.NewServer().Serve(listener))
}
`,
	},
	// The messages of gRPC's status. The module has no releases, and was split off
	// the next one, which had it until then.
	"google.golang.org/genproto/googleapis/rpc": {
		oldest: "v0.0.0-20230101000000-000000000000",
		requirers: []string{
			"cloud.google.com/go",
			"go.opentelemetry.io/collector/exporter/otlpexporter",
			"google.golang.org/api",
			"google.golang.org/grpc",
			"k8s.io/apiserver",
		},
		program: statusProgram,
	},
	"google.golang.org/genproto": {
		// What grpc 1.33 requires is of May 2020, but distributions have older ones
		// with it, in which the code is elsewhere.
		oldest:    "v0.0.0-20190801000000-000000000000",
		requirers: []string{"google.golang.org/grpc"},
		gone: []gone{
			{"v0.0.0-20230525000000-000000000000", []string{"google.golang.org/genproto/googleapis/rpc/status.Status"}, "the package is in a module of its own"},
		},
		program: statusProgram,
	},
}

const statusProgram = `package main

import (
	"log"

	"google.golang.org/genproto/googleapis/rpc/status"
)

func main() {
	log.Print(&status.Status{Code: 5})
}
`
