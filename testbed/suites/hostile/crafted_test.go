package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/bpf/nethttp"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
)

// code is machine code, by architecture.
type code map[string]string

var (
	// sleep is a program that does nothing for ever: pause(2), or ppoll(2) of nothing.
	sleep = code{
		"amd64": "\xb8\x22\x00\x00\x00\x0f\x05\xeb\xf7",
		"arm64": "\x00\x00\x80\xd2\x01\x00\x80\xd2\x02\x00\x80\xd2\x03\x00\x80\xd2" +
			"\x28\x09\x80\xd2\x01\x00\x00\xd4\xfb\xff\xff\x17",
	}
	// checked is a function with a stack check.
	checked = code{
		"amd64": "\x49\x3b\x66\x10\x76\x03\x55\x5d\xc3\xc3",
		"arm64": "\x90\x0b\x40\xf9\xff\x63\x30\xeb\x49\x00\x00\x54" +
			"\xfe\x0f\x1e\xf8\xc0\x03\x5f\xd6\xc0\x03\x5f\xd6",
	}
	ret = code{"amd64": "\xc3", "arm64": "\xc0\x03\x5f\xd6"}
)

func (c code) bytes() []byte { return []byte(c[runtime.GOARCH]) }

// crafted is an executable of a few kilobytes, which has all functions that get probes, or those of
// some libraries. It runs none of them.
func crafted(function []byte, of ...probe.Name) tiny.Program {
	p := tiny.Program{
		ARM64:     runtime.GOARCH == "arm64",
		Functions: []tiny.Function{{Name: "main.main", Code: sleep.bytes()}},
	}
	known := map[string]bool{}
	for _, library := range all.Libraries() {
		if of != nil && !slices.Contains(of, library.Name) {
			continue
		}
		for _, hook := range library.Hooks {
			if !known[hook.Symbol] {
				p.Functions = append(p.Functions, tiny.Function{Name: hook.Symbol, Code: function})
			}
			known[hook.Symbol] = true
		}
	}
	return p
}

// runFiles runs many files, each with other contents.
func (s *scene) runFiles(t *testing.T, n int, contents []byte) {
	t.Helper()
	for i := range n {
		s.place(t, fmt.Sprint("tiny-", i), contents)
	}
	s.script(t, "for file in tiny-*; do ./$file & done; wait")
}

// runManyFiles runs more files than can be attached, or than the collector may have open.
func runManyFiles(t *testing.T, s *scene) {
	const files = 1024
	s.manyProbes = true
	s.runFiles(t, files, crafted(checked.bytes(), nethttp.ServerName, nethttp.ClientName).Bytes())
	traced := 0
	for last := -1; traced > last; time.Sleep(5 * time.Second) {
		last = traced
		s.mu.Lock()
		traced = s.lines["Tracing a target"]
		s.mu.Unlock()
	}
	if traced < 32 { // a limit of 1,024 open files leaves room for as many
		t.Fatalf("of %d files, %d are traced", files, traced)
	}
}

// returnEverywhere has functions that would get a probe at each byte.
func returnEverywhere(t *testing.T, s *scene) {
	const files, longest = 24, 32 << 10
	returns := bytes.Repeat(ret.bytes(), (longest-1)/len(ret.bytes()))
	s.runFiles(t, files, crafted(returns).Bytes())
	s.logged(t, "A target cannot be traced", files)
}

// tellMuch has build information that is as long as is read.
func tellMuch(t *testing.T, s *scene) {
	const files = 64
	long := strings.Repeat("x", 1<<17)
	text := "path\tp\nmod\t" + long + "\t" + long + "\t\n"
	for _, module := range []string{"golang.org/x/net", "google.golang.org/grpc", long} {
		text += "dep\t" + module + "\t" + long + "\n"
	}
	text = strings.Repeat("s", 16) + text + strings.Repeat("e", 16)
	info := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	info = append(info, "\x08go1.26.8"...)
	info = append(binary.AppendUvarint(info, uint64(len(text))), text...)
	p := crafted(checked.bytes())
	s.runFiles(t, files, p.With(map[string][]byte{".go.buildinfo": info}))
	s.logged(t, "Tracing a target", 1+files)
}
