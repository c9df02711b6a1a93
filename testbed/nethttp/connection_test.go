package nethttp

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/testbed/internal/target"
	"github.com/spanprobe/spanprobe/testbed/internal/tracing"
)

var newest = target.Build{Source: source, Go: "1.27.4", Flags: []string{target.Stripped}}

func TestPipelinedRequestsGiveASpanEachInTheirOrder(t *testing.T) {
	server := target.Start(t, target.MustCompile(t, newest))
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	client, err := net.Dial("tcp", server.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const requests = 50
	var all strings.Builder
	for i := range requests {
		fmt.Fprintf(&all, "GET /hello/%d HTTP/1.1\r\nHost: shop.example\r\n\r\n", i)
	}
	if _, err := io.WriteString(client, all.String()); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(client)
	for range requests {
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
	}
	spans := tracer.Await(t, requests)
	if len(spans) != requests {
		t.Fatalf("%d spans of %d requests", len(spans), requests)
	}
	for i, span := range spans {
		if want := fmt.Sprintf("/hello/%d", i); span.Values()["url.path"] != want {
			t.Errorf("span %d is of %v, not of %s", i, span.Values()["url.path"], want)
		}
	}
}

func TestTLSIsSeenInTheScheme(t *testing.T) {
	server, client := serveTLS(t, newest)
	tracer := tracing.Start(t, engine.Config{Targets: []engine.Target{{PID: server.PID}}})
	tracer.AwaitTracing(t, 1)
	get(t, client, "https://"+server.Address+"/hello/tls")
	span := tracer.Await(t, 1)[0]
	for key, want := range map[string]any{"url.scheme": "https", "network.protocol.version": "1.1", "url.path": "/hello/tls", "server.address": "127.0.0.1"} {
		if span.Values()[key] != want {
			t.Errorf("%s is %v, not %v", key, span.Values()[key], want)
		}
	}
}

// get makes a request, and says over which protocol it was answered.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.Proto
}

// serveTLS starts a server with a certificate of its own, and a client that
// trusts it.
func serveTLS(t *testing.T, build target.Build, args ...string) (*target.Server, *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string][]byte{
		"cert": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		"key":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := target.Start(t, target.MustCompile(t, build), append(args, "-cert", filepath.Join(dir, "cert"), "-key", filepath.Join(dir, "key"))...)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(files["cert"])
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport, Timeout: 10 * time.Second}
}
