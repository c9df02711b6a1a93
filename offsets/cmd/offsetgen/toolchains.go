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
	"slices"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// errUnavailable says that the proxy lists a release and does not have it.
var errUnavailable = errors.New("not available")

// toolchainModule carries whole releases of Go, one for each platform. The
// sources in them are the same for all.
const (
	toolchainModule = "golang.org/toolchain"
	platform        = ".linux-amd64"
)

// listReleases lists the released versions from a minor on, ascending.
func listReleases(ctx context.Context, oldest int) ([]string, error) {
	listed, err := goCommand(ctx, "", "list", "-m", "-versions", "-json", toolchainModule)
	if err != nil {
		return nil, err
	}
	var module struct{ Versions []string }
	if err := json.Unmarshal(listed, &module); err != nil {
		return nil, err
	}
	var releases []string
	for _, v := range module.Versions {
		name, isGo := strings.CutPrefix(v, "v0.0.1-go")
		name, isHere := strings.CutSuffix(name, platform)
		if isGo && isHere && number(name, 1) >= oldest && released(name) {
			releases = append(releases, name)
		}
	}
	slices.SortFunc(releases, func(a, b string) int {
		return (number(a, 1)-number(b, 1))*1000 + number(a, 2) - number(b, 2)
	})
	return releases, nil
}

// released tells "1.26.8" and, as Go named the first of a minor up to 1.20,
// "1.20" from "1.26rc1".
func released(version string) bool {
	return number(version, 1) >= 0 && (strings.Count(version, ".") == 1 || number(version, 2) >= 0)
}

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
		root, err := goCommand(ctx, "", "env", "GOROOT")
		return strings.TrimSpace(string(root)), nothing, err
	}
	cache, err := goCommand(ctx, "", "env", "GOMODCACHE")
	if err != nil {
		return "", nil, err
	}
	path := toolchainModule + "@v0.0.1-go" + version + platform
	cached := filepath.Join(strings.TrimSpace(string(cache)), path)
	if info, err := os.Stat(filepath.Join(cached, "bin", "go")); err == nil && info.Mode()&0o100 != 0 {
		return cached, nothing, nil
	}
	temporary, err := os.MkdirTemp("", "offsetgen-")
	if err != nil {
		return "", nil, err
	}
	done = func() error { return removeAll(temporary) }
	output, err := goCommand(ctx, temporary, "mod", "download", "-json", path)
	var module struct{ Dir, Error string }
	if parseErr := json.Unmarshal(output, &module); parseErr == nil && module.Error != "" {
		return "", nil, errors.Join(fmt.Errorf("%w: %s", errUnavailable, module.Error), done())
	}
	if err != nil {
		return "", nil, errors.Join(err, done())
	}
	if err := makeRunnable(module.Dir); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return module.Dir, done, nil
}

// makeRunnable does for a downloaded release what the go command does when it is
// about to run one: in a module no file is executable, and none but its own may
// be named go.mod (Go 1.26 src/cmd/go/internal/toolchain/select.go).
func makeRunnable(root string) error {
	for _, folder := range []string{"pkg/tool", "bin"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				err = os.Chmod(path, 0o755)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, folder := range []string{"src", "src/cmd"} {
		folder = filepath.Join(root, folder)
		if err := os.Chmod(folder, 0o755); err != nil { // the module cache is read-only
			return err
		}
		if err := os.Rename(filepath.Join(folder, "_go.mod"), filepath.Join(folder, "go.mod")); err != nil {
			return err
		}
	}
	return nil
}

// toolTags asks a release which experiments are on by default: its own go
// command knows.
func toolTags(ctx context.Context, root string, arch model.Arch) ([]string, error) {
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", "go"), "list", "-f", `{{join context.ToolTags " "}}`, "unsafe")
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
// was published, whatever the user has set for another one.
func toolchainEnvironment(root string, arch model.Arch) []string {
	return append(os.Environ(), "GOROOT="+root, "GOENV=off", "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=",
		"GOEXPERIMENT=", "GOOS=linux", "GOARCH="+string(arch), "CGO_ENABLED=0")
}

// goCommand runs the go command away from any module of its own.
func goCommand(ctx context.Context, moduleCache string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = os.TempDir()
	command.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "GO111MODULE=on", "GOWORK=off")
	if moduleCache != "" {
		command.Env = append(command.Env, "GOMODCACHE="+moduleCache)
	}
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
