// Command unsent is a client whose requests get a connection and are never sent. Then it writes
// requests of its own with many bufio.Writers: some of these have got the addresses of those that
// the connections had.
//
// It says that it is ready. It answers a line, the address of a server, with how many of the
// requests that it wrote itself have a traceparent.
package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"runtime"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

func main() {
	lines.Serve("ready", func(address string) interface{} {
		leave(address)
		runtime.GC()
		runtime.GC()
		return write(address)
	})
}

// leave has requests fail when their connection is there: net/http looks at the target of a request
// line as it writes that line.
func leave(address string) {
	const requests = 500
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for range requests {
		answer, err := transport.RoundTrip(&http.Request{
			Method: http.MethodGet,
			URL:    &url.URL{Scheme: "http", Host: address, Opaque: "/unsent\x01"},
			Header: http.Header{},
		})
		if err == nil {
			answer.Body.Close()
			panic("the request was sent")
		}
	}
}

// write counts the requests with a traceparent among those that the program writes itself.
func write(address string) (found int) {
	const writers = 100000
	var written bytes.Buffer
	all := make([]*bufio.Writer, writers)
	for i := range all {
		all[i] = bufio.NewWriterSize(&written, 512)
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/own", nil)
	if err != nil {
		panic(err)
	}
	for _, writer := range all {
		written.Reset()
		if err := request.Write(writer); err != nil {
			panic(err)
		}
		if err := writer.Flush(); err != nil {
			panic(err)
		}
		if bytes.Contains(bytes.ToLower(written.Bytes()), []byte("\ntraceparent:")) {
			found++
		}
	}
	return found
}
