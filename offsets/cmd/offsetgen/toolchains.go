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
		name, ok := strings.CutPrefix(v, "v0.0.1-go")
		if name, ok = strings.CutSuffix(name, platform); ok && number(name, 1) >= oldest && number(name, 2) >= 0 {
			releases = append(releases, name)
		}
	}
	slices.SortFunc(releases, func(a, b string) int {
		return (number(a, 1)-number(b, 1))*1000 + number(a, 2) - number(b, 2)
	})
	return releases, nil
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
	if _, err := os.Stat(filepath.Join(cached, "src", "runtime")); err == nil {
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
	// A module's files are not executable; the go command makes those of a
	// toolchain so only when it is about to run it.
	if err := os.Chmod(filepath.Join(module.Dir, "bin", "go"), 0o755); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return module.Dir, done, nil
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
