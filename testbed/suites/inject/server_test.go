package inject

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/web"
)

// arrival is a request as it got to a server.
type arrival struct {
	Method, Host, Target, Version string
	Header, Trailer               map[string][]string
	Encoding                      []string
	Length                        int64
	Body                          string // its length and its sum
}

// server is who the requests are sent to. It is in the process of the test, which is not
// traced.
type server struct {
	addresses map[string]string // by what listens there: "http plain"

	mu       sync.Mutex
	arrivals map[string][]arrival // by path
	failures []string
}

// taken returns what has arrived since the last time.
func (s *server) taken(t *testing.T) map[string][]arrival {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, failure := range s.failures {
		t.Errorf("the server: %s", failure)
	}
	all := s.arrivals
	s.arrivals, s.failures = map[string][]arrival{}, nil
	return all
}

func (s *server) add(path string, a arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals[path] = append(s.arrivals[path], a)
}

func (s *server) fail(failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failure)
}

func startServer(t *testing.T) *server {
	t.Helper()
	return startInstrumented(t, nil)
}

// startInstrumented starts one that has spans of its own, if it is given where to.
func startInstrumented(t *testing.T, provider trace.TracerProvider) *server {
	t.Helper()
	s := &server{addresses: map[string]string{}, arrivals: map[string][]arrival{}}
	secure := web.Secure("h2", "http/1.1")
	over := &http.Server{
		Handler: http.HandlerFunc(s.web), ErrorLog: log.New(s, "", 0),
		TLSConfig: secure, Protocols: new(http.Protocols),
	}
	over.Protocols.SetHTTP1(true)
	over.Protocols.SetHTTP2(true)
	over.Protocols.SetUnencryptedHTTP2(true)
	options := []grpc.ServerOption{
		grpc.UnknownServiceHandler(s.rpc),
		grpc.MaxHeaderListSize(1 << 20),
	}
	if provider != nil {
		w3c := propagation.TraceContext{}
		over.Handler = otelhttp.NewHandler(over.Handler, "", otelhttp.WithTracerProvider(provider),
			otelhttp.WithPropagators(w3c))
		options = append(options,
			grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(provider),
				otelgrpc.WithPropagators(w3c))))
	}
	plain := grpc.NewServer(options...)
	overTLS := grpc.NewServer(append(options, grpc.Creds(credentials.NewTLS(secure)))...)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		over.Close()
		plain.Stop()
		overTLS.Stop()
		serving.Wait()
	})
	for name, serve := range map[string]func(net.Listener) error{
		"http plain": over.Serve,
		"http tls":   func(l net.Listener) error { return over.ServeTLS(l, "", "") },
		"grpc plain": plain.Serve,
		"grpc tls":   overTLS.Serve,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.addresses[name] = listener.Addr().String()
		serving.Go(func() {
			if err := serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
	return s
}

// Write takes what net/http has to say about requests that it does not understand. A client may
// give up a connection that it has no use for any more.
func (s *server) Write(line []byte) (int, error) {
	if !strings.Contains(string(line), "TLS handshake error") {
		s.fail(string(line))
	}
	return len(line), nil
}

func (s *server) web(_ http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		s.fail(fmt.Sprintf("%s: body: %v", r.URL.Path, err))
	}
	s.add(r.URL.Path, arrival{
		Method: r.Method, Host: r.Host, Target: r.RequestURI, Version: r.Proto,
		Header: maps.Clone(r.Header), Trailer: r.Trailer, Encoding: r.TransferEncoding,
		Length: r.ContentLength,
		Body:   fmt.Sprintf("%d bytes, %x", n, sum.Sum(nil)),
	})
}

// rpc answers each message of a call of any method with the same.
func (s *server) rpc(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.Method(stream.Context())
	s.add(method, arrival{Header: metadataOf(stream.Context())})
	for {
		message := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}

func metadataOf(ctx context.Context) map[string][]string {
	all, _ := metadata.FromIncomingContext(ctx)
	all = all.Copy()
	delete(all, "grpc-timeout") // is what is left of it
	return all
}
