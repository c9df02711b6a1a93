// Package target builds and runs the programs that tests trace.
package target

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/version"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Build says how a target program is compiled.
type Build struct {
	Source string // folder of the program, with no go.mod of its own; from the repository's root
	Go     string // toolchain: "1.22.12"
	Flags  []string
	Arch   string // GOARCH; "": this machine's
	// Modules are what the program requires, each as "path@version".
	Modules []string
}

// Stripped is what takes the symbol table and the debug information away.
const Stripped = "-ldflags=-s -w"

func (b Build) String() string {
	name := "go" + b.Go
	for _, flag := range b.Flags {
		if flag == Stripped {
			flag = "stripped"
		}
		name += " " + flag
	}
	for _, module := range b.Modules {
		name += " " + module
	}
	return name
}

// olderThan tells whether the toolchain is older than a minor release of Go 1.
func (b Build) olderThan(minor int) bool {
	return version.Compare("go"+b.Go, fmt.Sprint("go1.", minor)) < 0
}

// Optimized tells whether the compiler makes its usual code: not for the race detector, whose calls
// stand between, and not for debuggers.
func (b Build) Optimized() bool {
	return !slices.ContainsFunc(b.Flags, func(flag string) bool {
		return flag == "-race" || strings.Contains(flag, "-N")
	})
}

// Root is the repository's root.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "builder-config.yaml")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no builder-config.yaml in a folder above the working directory")
}

// Module is what a program's module is called: as the testbed's, of which it has nothing but the
// packages that programs share.
const Module = "github.com/spanprobe/spanprobe/testbed"

// Sources are the files that a program is made of, by where they are in its module. All of them are
// somewhere below the root.
func Sources(root, source string) (map[string]string, error) {
	const shared = "targets/shared"
	files := map[string]string{}
	for folder, pattern := range map[string]string{
		".":    filepath.Join(root, source, "*.go"),
		shared: filepath.Join(root, "testbed", shared, "*", "*.go"),
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("no sources at %s: %w", pattern, err)
		}
		for _, file := range found {
			within := filepath.Base(file)
			if folder == shared {
				within = filepath.Join(shared, filepath.Base(filepath.Dir(file)), within)
			}
			files[within] = file
		}
	}
	return files, nil
}

// Compile builds a target program, or finds it where an earlier run has left it, and
// returns the executable's path.
func Compile(b Build) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	files, err := Sources(root, b.Source)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s %q %q\n", b.Go, b.Arch, b.Flags, b.Modules)
	contents := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content, err := os.ReadFile(files[name])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
		contents[name] = content
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "spanprobe-targets", hex.EncodeToString(sum.Sum(nil))[:16])
	executable := filepath.Join(folder, "target")
	if _, err := os.Stat(executable); err == nil {
		return executable, nil
	}
	return executable, compile(b, contents, executable)
}

// compileOne keeps compilations one after the other: each uses all processors.
var compileOne sync.Mutex

func compile(b Build, files map[string][]byte, executable string) error {
	compileOne.Lock()
	defer compileOne.Unlock()
	if _, err := os.Stat(executable); err == nil {
		return nil // who had the lock before has built it
	}
	work, err := os.MkdirTemp("", "spanprobe-target-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	// The language version decides how a ServeMux reads patterns.
	language := strings.TrimPrefix(version.Lang("go"+b.Go), "go")
	files["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo %s\n", Module, language)
	for _, required := range b.Modules {
		path, release, _ := strings.Cut(required, "@")
		files["go.mod"] = fmt.Appendf(files["go.mod"], "\nrequire %s %s\n", path, release)
	}
	for name, content := range files {
		path := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(executable), 0o755); err != nil {
		return err
	}
	flags := "GOFLAGS=-mod=mod" // which writes go.sum
	if !b.olderThan(18) {
		flags += " -buildvcs=false"
	}
	// tests of other packages may build it as well
	built := fmt.Sprintf("%s.%d", executable, os.Getpid())
	arguments := slices.Concat([]string{"build", "-o", built}, b.Flags, []string{"."})
	command := exec.Command("go", arguments...)
	command.Dir = work
	// What else changes the code is as it is by default.
	command.Env = append(os.Environ(), "GOTOOLCHAIN=go"+b.Go, flags, "GOWORK=off", "GOAMD64=v1",
		"GOARM64=v8.0")
	if b.olderThan(21) && !b.olderThan(19) {
		// With their index of packages such releases do not find their own in the module
		// cache: cmd/go/internal/modindex, of Go 1.19.13 and 1.20.
		command.Env = append(command.Env, "GODEBUG=goindex=0")
	}
	if b.Arch != "" {
		command.Env = append(command.Env, "GOARCH="+b.Arch)
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s with %s: %w\n%s", b.Source, b, err, output)
	}
	return os.Rename(built, executable)
}

// MustCompile is Compile for a test.
func MustCompile(t testing.TB, b Build) string {
	t.Helper()
	path, err := Compile(b)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Own builds a program of testbed/targets as a part of the testbed's module, with its toolchain and
// what that requires.
func Own(t testing.TB, program string) string {
	t.Helper()
	executable := filepath.Join(t.TempDir(), program)
	source := Module + "/targets/" + program
	build := exec.Command("go", "build", "-buildvcs=false", "-o", executable, source)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return executable
}

// grpcCaller is a program that is written in two ways.
const grpcCaller = "testbed/targets/grpccaller"

// GRPC is how a program of the testbed is compiled with a release of gRPC: "1.69.4".
func GRPC(source, goVersion, release string, flags ...string) Build {
	module := "google.golang.org/grpc@v" + release
	b := Build{Source: source, Go: goVersion, Flags: flags, Modules: []string{module}}
	if release == "1.33.1" {
		// It does not ask for what the programs need itself.
		b.Modules = append(b.Modules, "google.golang.org/protobuf@v1.25.0")
	}
	// Its releases are numbered as Go's are. From 1.63 on they have grpc.NewClient.
	if source == grpcCaller && version.Compare("go"+release, "go1.63.0") >= 0 {
		b.Flags = append([]string{"-tags=newclient"}, flags...)
	}
	return b
}

// Parents is the build of testbed/targets/parents, which uses pools of workers beside gRPC.
func Parents(goVersion, grpc string, flags ...string) Build {
	b := GRPC("testbed/targets/parents", goVersion, grpc, flags...)
	b.Modules = append(b.Modules, "golang.org/x/sync@v0.7.0",
		"github.com/panjf2000/ants/v2@v2.9.1", "github.com/Jeffail/tunny@v0.1.4")
	return b
}
