package binaries

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

const (
	serverSource = "testbed/targets/nethttp"
	release      = "1.26.8"
)

// program says how one is compiled.
type program struct {
	source string            // folder, from the repository's root
	goes   string            // toolchain; "": release
	files  map[string]string // more of them, and what is in them
	env    []string
	args   []string // of go build
	// lines of go.mod, behind the version of the language
	module   string
	vendored bool                              // what it requires is in its folder
	gopath   bool                              // and the build is one without modules
	fork     func(t *testing.T, folder string) // changes what was vendored
}

// build compiles a program, and returns the executable's path.
func build(t *testing.T, p program) string {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	gopath := t.TempDir()
	work := filepath.Join(gopath, "src", target.Module)
	sources, err := target.Sources(root, p.source)
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(work, name), string(content))
	}
	if p.goes == "" {
		p.goes = release
	}
	files := map[string]string{"go.mod": "module " + target.Module + "\n\ngo 1.24\n" + p.module}
	for name, content := range p.files {
		files[name] = content
	}
	for name, content := range files {
		write(t, filepath.Join(work, name), content)
	}
	executable := filepath.Join(work, "target")
	env := append([]string{
		"GOTOOLCHAIN=go" + p.goes, "GOFLAGS=-mod=mod -buildvcs=false",
		"GOWORK=off",
	}, p.env...)
	if p.vendored || p.gopath {
		run(t, work, env, "go", "mod", "tidy")
		run(t, work, env, "go", "mod", "vendor")
		if p.fork != nil {
			p.fork(t, work)
		}
	}
	switch {
	case p.gopath:
		env = append(env, "GO111MODULE=off", "GOPATH="+gopath, "GOFLAGS=-buildvcs=false",
			"GOMODCACHE="+moduleCache(t))
	case p.vendored:
		p.args = append(p.args, "-mod=vendor")
	}
	run(t, work, env, "go", append(append([]string{"build", "-o", executable}, p.args...), ".")...)
	return executable
}

// moduleCache is the folder of the modules and toolchains that were fetched.
func moduleCache(t *testing.T) string {
	t.Helper()
	folder, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(folder))
}

// run runs a command that must end well, with more variables in its environment.
func run(t *testing.T, folder string, env []string, name string, arguments ...string) {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), env...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
}

// changed copies an executable, and changes its bytes.
func changed(t *testing.T, executable string, change func([]byte) []byte) string {
	t.Helper()
	content, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(path, change(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// called makes an executable one of another version of Go: of as many letters, so
// that nothing moves.
func called(t *testing.T, executable, version string) string {
	t.Helper()
	return renamed(t, executable, "go"+release, version)
}

// renamed puts a text of the same length in the place of one that an executable has.
func renamed(t *testing.T, executable, is, becomes string) string {
	t.Helper()
	if len(becomes) != len(is) {
		t.Fatalf("%q has not the length of %q", becomes, is)
	}
	return changed(t, executable, func(content []byte) []byte {
		if !bytes.Contains(content, []byte(is)) {
			t.Fatalf("%s does not have %q", executable, is)
		}
		return bytes.ReplaceAll(content, []byte(is), []byte(becomes))
	})
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// profile is that of a net/http server under load.
func profile(t *testing.T) string {
	t.Helper()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, "internal/testing/testbinary/server.pgo"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
