package nethttp

import (
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// rules are those of the modules whose fields are read. Go itself has more, in package golang.
func rules() []probe.Rule {
	return []probe.Rule{
		{
			Module: model.ModuleStd,
			Gone: []probe.Gone{{
				Since: "1.27.0",
				Fields: []string{
					"net/http.http2ClientConn",
					"net/http.http2Framer",
					"net/http.http2HeadersFrameParam",
					"net/http.http2clientStream",
					"net/http.http2responseWriter",
					"net/http.http2responseWriterState",
					"net/http.http2serverConn",
					"net/http.http2stream",
				},
				Reason: "HTTP/2 is in net/http/internal/http2",
			}},
			Programs: []string{usesStd},
		},
		{
			Module: moduleNet,
			Oldest: "v0.0.0-20210101000000-000000000000", // the year of Go 1.17
			Requirers: []string{
				"github.com/prometheus/client_golang",
				"go.opentelemetry.io/collector",
				"golang.org/x/crypto",
				"golang.org/x/oauth2",
				"golang.org/x/tools",
				"google.golang.org/api",
				"k8s.io/client-go",
			},
			Programs: []string{usesNet},
		},
	}
}

const usesStd = `package main

import (
	"log"
	"net/http"
)

func init() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Host", r.Host)
	})
	go log.Println(http.Get("http://localhost:0/"))
	log.Fatal(http.ListenAndServe("localhost:0", nil))
}
`

const usesNet = `package main

import (
	"log"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

func init() {
	if _, err := new(http2.Transport).RoundTrip(new(http.Request)); err != nil {
		log.Print(err)
	}
	connection, err := net.Dial("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	new(http2.Server).ServeConn(connection, &http2.ServeConnOpts{})
}
`
