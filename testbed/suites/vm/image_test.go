package vm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/suites/vm/job"
)

// Paths in a machine.
const (
	checkoutPath = "/spanprobe" // the part of this repository that tests look for
	cachePath    = "/cache"     // XDG_CACHE_HOME, where target.Compile finds its programs
	programsPath = "/programs"
)

// Suite is a package of tests to run in a machine.
type Suite struct {
	Package string   // folder, from testbed/suites/
	Tests   []string // names, with those of subtests where only they are to run
	Matrix  bool     // builds are among those of `make test-matrix`; else they are in its sample
}

func (s Suite) folder() string { return path.Join(checkoutPath, "testbed", "suites", s.Package) }

// Image is what a machine is given.
type Image struct {
	Kernel  KernelFiles
	Arch    string
	Suites  []Suite
	Targets []target.Build // the programs that the tests trace, for this machine's architecture
	Timeout time.Duration  // of each suite
}

// Write builds the programs and writes the initramfs to a file in a work folder.
func (i Image) Write(work string) (file string, err error) {
	root, err := target.Root()
	if err != nil {
		return "", err
	}
	file = filepath.Join(work, "initramfs-"+i.Kernel.Release)
	created, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, created.Close()) }()
	buffer := bufio.NewWriter(created)
	a := newArchive(buffer)
	for _, add := range []func(a *archive, root, work string) error{
		i.addGuest, i.addSuites, i.addTargets,
	} {
		if err := add(a, root, work); err != nil {
			return "", err
		}
	}
	return file, errors.Join(a.close(), buffer.Flush())
}

// addGuest adds the first program, the modules and the job.
func (i Image) addGuest(a *archive, root, work string) error {
	guest := filepath.Join(work, "guest-"+i.Arch)
	if err := i.build(root, guest, "build", "./suites/vm/guest"); err != nil {
		return err
	}
	a.addFile("guest", guest, 0o755)
	overlay := "/modules/" + filepath.Base(i.Kernel.Overlay)
	a.addFile(overlay, i.Kernel.Overlay, 0o644)
	// Every machine has a name for itself.
	a.addText("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
	todo := job.Job{Modules: []string{overlay}}
	for _, s := range i.Suites {
		todo.Runs = append(todo.Runs, job.Run{
			Name:    s.Package,
			Folder:  s.folder(),
			Program: path.Join(programsPath, s.Package),
			Args: []string{
				"-test.v=test2json", "-test.timeout=" + i.Timeout.String(),
				"-test.run=" + s.pattern(),
			},
			Environment: []string{
				"XDG_CACHE_HOME=" + cachePath, "HOME=/tmp", "TMPDIR=/tmp", "PATH=",
			},
		})
	}
	text, err := json.Marshal(todo)
	if err != nil {
		return err
	}
	a.addText(job.File, string(text))
	return nil
}

// addSuites adds the test binaries, and a folder to run each in.
func (i Image) addSuites(a *archive, root, work string) error {
	for _, s := range i.Suites {
		binary := filepath.Join(work, strings.ReplaceAll(s.Package, "/", "-")+"-"+i.Arch)
		tags := "-tags=vm"
		if s.Matrix {
			tags += ",matrix"
		}
		if err := i.build(root, binary, "test", "-c", tags, "./suites/"+s.Package); err != nil {
			return err
		}
		a.addFile(path.Join(programsPath, s.Package), binary, 0o755)
		a.addFolder(strings.TrimPrefix(s.folder(), "/"))
	}
	const marker = "builder-config.yaml" // by which tests find the checkout
	a.addFile(path.Join(checkoutPath, marker), filepath.Join(root, marker), 0o644)
	return nil
}

// addTargets adds the programs that tests trace, with their sources, by which target.Compile
// finds them.
func (i Image) addTargets(a *archive, root, _ string) error {
	added := map[string]bool{}
	for _, build := range i.Targets {
		native, err := target.Compile(build)
		if err != nil {
			return err
		}
		executable := native
		if i.Arch != runtime.GOARCH {
			foreign := build
			foreign.Arch = i.Arch
			if executable, err = target.Compile(foreign); err != nil {
				return err
			}
		}
		// In the machine, its own architecture is the one that needs no name.
		hash := filepath.Base(filepath.Dir(native))
		a.addFile(path.Join(cachePath, "spanprobe-targets", hash, "target"), executable, 0o755)
		files, err := target.Sources(root, build.Source)
		if err != nil {
			return err
		}
		for _, file := range files {
			relative, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			if added[relative] {
				continue
			}
			added[relative] = true
			a.addFile(path.Join(checkoutPath, relative), file, 0o644)
		}
	}
	return nil
}

// build runs the go command for the machine's architecture.
func (i Image) build(root, binary string, args ...string) error {
	last := len(args) - 1
	args = append(args[:last:last], "-ldflags=-s -w", "-o", binary, args[last])
	command := exec.Command("go", args...)
	command.Dir = filepath.Join(root, "testbed")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+i.Arch)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}
