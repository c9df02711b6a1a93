package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
)

// errUnavailable says that the proxy lists a release and does not have it.
var errUnavailable = errors.New("not available")

// toolchainModule carries whole releases of Go, one for each platform. The
// sources in them are the same for all.
const (
	toolchainModule = "golang.org/toolchain"
	platform        = ".linux-amd64"
)

// toolchains are the releases of Go.
type toolchains struct{ rule probe.Rule }

func (t toolchains) versions(ctx context.Context) ([]string, error) {
	listed, err := listVersions(ctx, toolchainModule)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range listed {
		name, isGo := strings.CutPrefix(v, "v0.0.1-go")
		name, isHere := strings.CutSuffix(name, platform)
		if isGo && isHere {
			names = append(names, name)
		}
	}
	return offsets.Releases(append(names, t.rule.Also...), t.rule.Oldest)
}

func (t toolchains) examine(
	ctx context.Context, version string, wanted []model.Field,
) (found layout, err error) {
	root, done, err := fetch(ctx, version)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return layoutOf(wanted, func(arch model.Arch) (*checker, error) {
		tags, err := toolTags(ctx, root, arch)
		return newChecker(root, version, arch, tags), err
	})
}

// compile builds the programs, as one, with the release itself.
func (t toolchains) compile(
	ctx context.Context, version string, names []string,
) (_ map[model.Arch]structs, err error) {
	root, done, err := fetch(ctx, version)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return compiledStructs(names, func(work string, arch model.Arch, executable string) error {
		module := "module program\n\ngo " + languageOf(version) + "\n"
		if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte(module), 0o644); err != nil {
			return err
		}
		if err := writeProgram(work, t.rule.Programs); err != nil {
			return err
		}
		command := exec.CommandContext(ctx, filepath.Join(root, "bin", "go"), "build", "-o",
			executable, ".")
		command.Dir = work
		// Its own build cache, so that a check leaves nothing behind.
		command.Env = append(toolchainEnvironment(root, arch),
			"GOCACHE="+filepath.Join(work, "cache"))
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(output)))
		}
		return nil
	})
}

// languageOf is the version of Go as a go.mod file of Go up to 1.20 wants it.
func languageOf(version string) string { return fmt.Sprintf("1.%d", number(version, 1)) }

// number is the i-th number of a version, or -1 where it is none.
func number(version string, i int) int {
	parts := strings.Split(version, ".")
	if i >= len(parts) {
		return -1
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return -1
	}
	return n
}

// fetch makes a release's GOROOT available until done is called: the running
// one, one in the module cache, or one downloaded for the moment (230 MB). The
// go command checks what it downloads against the checksum database.
func fetch(ctx context.Context, version string) (root string, done func() error, err error) {
	nothing := func() error { return nil }
	if version == localVersion() {
		root, err := localRoot(ctx)
		return root, nothing, err
	}
	cache, err := goCommand(ctx, nil, "env", "GOMODCACHE")
	if err != nil {
		return "", nil, err
	}
	path := toolchainModule + "@v0.0.1-go" + version + platform
	cached := filepath.Join(strings.TrimSpace(string(cache)), path)
	if info, err := os.Stat(filepath.Join(cached, "bin", "go")); err == nil &&
		info.Mode()&0o100 != 0 {
		return cached, nothing, nil
	}
	temporary, err := os.MkdirTemp("", "offsetgen-")
	if err != nil {
		return "", nil, err
	}
	done = func() error { return removeAll(temporary) }
	root, err = download(ctx, []string{"GOMODCACHE=" + temporary}, path)
	if err == nil {
		err = makeRunnable(root)
	}
	if err != nil {
		return "", nil, errors.Join(err, done())
	}
	return root, done, nil
}

// notToBeHad is in what the go command says of a version that the proxy refuses, or
// that is nowhere. Anything else may be over tomorrow.
var notToBeHad = regexp.MustCompile(`: (403 Forbidden|404 Not Found|410 Gone)\b|unknown revision`)

// download downloads one module, "path@version", and returns its folder.
func download(ctx context.Context, environment []string, path string) (string, error) {
	output, err := goCommand(ctx, environment, "mod", "download", "-json", path)
	var module struct{ Dir, Error string }
	if parseErr := json.Unmarshal(output, &module); parseErr == nil && module.Error != "" {
		if notToBeHad.MatchString(module.Error) {
			return "", fmt.Errorf("%w: %s", errUnavailable, module.Error)
		}
		return "", errors.New(module.Error)
	}
	return module.Dir, err
}

// localRoot is the GOROOT of the toolchain that runs this.
func localRoot(ctx context.Context) (string, error) {
	root, err := goCommand(ctx, nil, "env", "GOROOT")
	return strings.TrimSpace(string(root)), err
}

// localVersion is the version of the toolchain that runs this.
func localVersion() string { return strings.TrimPrefix(runtime.Version(), "go") }

// makeRunnable does for a downloaded release what the go command does when it is
// about to run one: in a module no file is executable, and none but its own may
// be named go.mod (Go 1.26 src/cmd/go/internal/toolchain/select.go).
func makeRunnable(root string) error {
	for _, folder := range []string{"pkg/tool", "bin"} {
		err := filepath.WalkDir(
			filepath.Join(root, folder),
			func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Type().IsRegular() {
					err = os.Chmod(path, 0o755)
				}
				return err
			},
		)
		if err != nil {
			return err
		}
	}
	for _, folder := range []string{"src", "src/cmd"} {
		folder = filepath.Join(root, folder)
		if err := os.Chmod(folder, 0o755); err != nil { // the module cache is read-only
			return err
		}
		if err := os.Rename(filepath.Join(folder, "_go.mod"),
			filepath.Join(folder, "go.mod")); err != nil {
			return err
		}
	}
	return nil
}

// toolTags asks a release which experiments are on by default: its own go
// command knows.
func toolTags(ctx context.Context, root string, arch model.Arch) ([]string, error) {
	command := exec.CommandContext(
		ctx, filepath.Join(root, "bin", "go"), "list", "-f", `{{join context.ToolTags " "}}`,
		"unsafe",
	)
	command.Env = toolchainEnvironment(root, arch)
	command.Dir = os.TempDir()
	var stderr bytes.Buffer
	command.Stderr = &stderr
	tags, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("ask for its build tags: %w\n%s", err, stderr.Bytes())
	}
	return strings.Fields(string(tags)), nil
}

// toolchainEnvironment is that of a release's own go command: the release as it
// was published, whatever the user has set for another one. Its GOROOT may be in the
// user's module cache, and Go 1.19 and 1.20.0 must not know: there they take the
// program itself for one of its packages (src/cmd/go/internal/modindex/read.go).
func toolchainEnvironment(root string, arch model.Arch) []string {
	return append(os.Environ(), "GOROOT="+root, "GOENV=off", "GOTOOLCHAIN=local", "GOWORK=off",
		"GOFLAGS=", "GOMODCACHE="+filepath.Join(root, "no-modules"), "GOEXPERIMENT=", "GOOS=linux",
		"GOARCH="+string(arch), "CGO_ENABLED=0")
}

// goCommand runs the go command away from any module of its own, with more
// variables in its environment.
func goCommand(ctx context.Context, environment []string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = os.TempDir()
	command.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "GO111MODULE=on",
		"GOWORK=off")
	command.Env = append(command.Env, environment...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return output, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return output, nil
}

// removeAll removes a module cache, whose folders are read-only.
func removeAll(folder string) error {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(folder))
}
