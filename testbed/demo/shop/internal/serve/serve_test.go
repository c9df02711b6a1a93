package serve

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
)

func TestAnHTTPServiceSpeaksHTTP1AndHTTP2(t *testing.T) {
	address := freeAddress(t)
	ended := make(chan error, 1)
	go func() {
		ended <- HTTP(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refused" {
				Refuse(w, http.StatusConflict, "not now")
				return
			}
			Answer(w, http.StatusOK, fmt.Sprint(r.Method, " ", r.ProtoMajor))
		}))
	}()
	listening(t, address, ended)
	for _, http2 := range []bool{false, true} {
		client := NewClient("http://"+address, http2)
		t.Cleanup(client.CloseIdleConnections)
		version := map[bool]string{false: "1", true: "2"}[http2]
		for body, want := range map[any]string{nil: "GET " + version, "b": "POST " + version} {
			var got string
			status, err := client.Ask(t.Context(), "/", body, &got)
			if err != nil || status != http.StatusOK || got != want {
				t.Errorf("HTTP/%s: %q, %d, %v; want %q", version, got, status, err, want)
			}
		}
		status, err := client.Ask(t.Context(), "/refused", nil, nil)
		if status != http.StatusConflict || err == nil || err.Error() != "not now" {
			t.Errorf("HTTP/%s: refused with %d, %v", version, status, err)
		}
	}
}

func TestAServiceFailsWhereSomebodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	if err := HTTP(address, http.NotFoundHandler()); err == nil {
		t.Error("an HTTP service shares its port")
	}
	if err := GRPC(address, func(grpc.ServiceRegistrar) {}); err == nil {
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
