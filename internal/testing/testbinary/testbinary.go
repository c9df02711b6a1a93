// Package testbinary compiles the Go programs that tests inspect: small servers,
// by any release of Go, for either architecture, in every form that a linker
// gives them. Binaries are kept in the user's cache directory.
package testbinary

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Form is how a binary is linked.
type Form string

// The forms.
const (
	Plain      Form = "plain"      // with symbols and debug information
	Stripped   Form = "stripped"   // with neither
	PIE        Form = "pie"        // position-independent, with both
	DWARF4     Form = "dwarf4"     // as plain, with debug information of version 4
	NoCompress Form = "nocompress" // as plain, with debug information as it is
	CgoPIE     Form = "cgopie"     // as PIE, with cgo, by the C compiler's linker
	Profiled   Form = "profiled"   // as stripped, optimized by a profile
)

// Build is one binary to be had.
type Build struct {
	Go   string // release: "1.21.13"
	Arch model.Arch
	Form Form
}

func (b Build) String() string { return fmt.Sprintf("go%s-%s-%s", b.Go, b.Arch, b.Form) }

// Releases are the releases of Go whose binaries tests look at: the oldest that
// is supported, those with which something that matters changed (1.18 the
// function table and the build information, 1.21 prologues, 1.22 routes, 1.24
// maps, 1.26 the function table, 1.27 the linker's data), the last before the
// change of prologues, and none other.
func Releases() []string {
	return []string{
		"1.17.13",
		"1.18.10",
		"1.20.14",
		"1.21.13",
		"1.22.12",
		"1.24.13",
		"1.26.8",
		"1.27.4",
	}
}

const server = `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello", r.URL.Path) })
	if err := http.ListenAndServe("127.0.0.1:0", mux); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// profile is the CPU profile of a net/http server under load, built with Go 1.26.8:
// what of it passed finishRequest.
//
//go:embed server.pgo
var profile string

const profileName = "server.pgo"

const module = "module example.com/testserver\n\ngo 1.17\n"

// Server compiles a net/http server, or finds one that was compiled before, and
// returns its path.
func Server(t testing.TB, b Build) string {
	t.Helper()
	files := []File{{"main.go", server}, {"go.mod", module}}
	if b.Form == Profiled {
		files = append(files, File{profileName, profile})
	}
	return Program(t, b, files)
}

// File is a file of a program.
type File struct{ Name, Text string }

// Program is Server for another program. What its module requires is fetched.
func Program(t testing.TB, b Build, files []File) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	arguments := b.arguments()
	parts := []string{b.Go, string(b.Arch), string(b.Form)}
	for _, file := range files {
		parts = append(parts, file.Text)
	}
	sum := sha256.Sum256([]byte(strings.Join(append(parts, arguments...), "\x00")))
	path := filepath.Join(
		cache, "spanprobe-test", fmt.Sprintf("%s-%s", b, hex.EncodeToString(sum[:8])),
	)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("gcc"); err != nil && b.Form == CgoPIE {
		t.Skip("there is no C compiler: ", err)
	}
	dir := t.TempDir()
	for _, file := range files {
		name := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(file.Text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Built under another name, so that a test beside this one never sees half.
	half, err := os.CreateTemp(filepath.Dir(path), "building-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(half.Name())
	half.Close()
	command := exec.Command("go", append(arguments, "-o", half.Name(), ".")...)
	command.Dir = dir
	// An empty GOFLAGS would be looked up in the user's own settings, which may
	// hold flags that old releases do not know.
	command.Env = append(
		os.Environ(), "GOTOOLCHAIN=go"+b.Go, "GOOS=linux", "GOARCH="+string(b.Arch),
		"CGO_ENABLED="+map[bool]string{true: "1", false: "0"}[b.Form == CgoPIE],
		"GOFLAGS=-trimpath -mod=mod", "GOWORK=off", "GOEXPERIMENT="+b.experiment(),
	)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("compile a test program as %s: %v\n%s", b, err, out)
	}
	if err := os.Rename(half.Name(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b Build) arguments() []string {
	arguments := []string{"build"}
	switch b.Form {
	case Stripped:
		arguments = append(arguments, "-ldflags=-s -w")
	case PIE:
		arguments = append(arguments, "-buildmode=pie")
	case Profiled:
		arguments = append(arguments, "-ldflags=-s -w", "-pgo="+profileName)
	case CgoPIE:
		arguments = append(arguments, "-buildmode=pie", "-ldflags=-linkmode=external")
	case NoCompress:
		arguments = append(arguments, "-ldflags=-compressdwarf=false")
	}
	return arguments
}

func (b Build) experiment() string {
	if b.Form == DWARF4 {
		return "nodwarf5"
	}
	return ""
}
