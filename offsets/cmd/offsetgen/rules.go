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
	// program links what the fields of the module are declared in: the compiler
	// describes no type that a program does not use.
	program string
}

// rules has a rule for each module of which libraries declare fields. What is older than the oldest version is traced
// with the program's own debug information only.
var rules = map[string]rule{
	model.ModuleStd: {
		oldest: "1.17", // arguments are in registers since then
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

	"golang.org/x/net/http2"
)

func main() {
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
		program:   statusProgram,
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
