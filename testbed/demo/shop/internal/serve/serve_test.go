package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestAnHTTPServiceFinishesWhatIsInFlightWhenItIsToldToStop(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!http2)
			protocols.SetUnencryptedHTTP2(http2)
			client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
			t.Cleanup(client.CloseIdleConnections)

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			address, ended := freeAddress(t), make(chan error, 1)
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/last" {
					stop()
					<-ctx.Done()
				}
				Answer(w, http.StatusOK, r.ProtoMajor)
			}
			go func() { ended <- HTTP(ctx, address, http.HandlerFunc(handler)) }()
			listening(t, address, ended)
			want := "1\n"
			if http2 {
				want = "2\n"
			}
			for _, path := range []string{"/first", "/last"} { // the first one's connection is kept
				response, err := client.Get("http://" + address + path)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || string(body) != want {
					t.Errorf("%s: body %q (%v), want %q", path, body, err, want)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if conn, err := net.Dial("tcp", address); err == nil {
				conn.Close()
				t.Error("it still listens")
			}
		})
	}
}

func TestAGRPCServiceEndsAlthoughAStreamStaysOpen(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	address, ended := freeAddress(t), make(chan error, 1)
	go func() {
		ended <- GRPC(ctx, address, func(s grpc.ServiceRegistrar) {
			grpc_health_v1.RegisterHealthServer(s, health.NewServer())
		})
	}()
	listening(t, address, ended)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client, asked := grpc_health_v1.NewHealthClient(conn), &grpc_health_v1.HealthCheckRequest{}
	watch, err := client.Watch(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := watch.Recv(); err == nil {
		t.Error("the stream goes on")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAServiceFailsWhereSomebodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	if err := HTTP(t.Context(), address, http.NotFoundHandler()); err == nil {
		t.Error("an HTTP service shares its port")
	}
	if err := GRPC(t.Context(), address, func(grpc.ServiceRegistrar) {}); err == nil {
		t.Error("a gRPC service shares its port")
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// listening returns when somebody listens, and fails if the service ends instead.
func listening(t *testing.T, address string, ended <-chan error) {
	t.Helper()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
