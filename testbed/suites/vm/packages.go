package vm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// keyring holds the keys of all releases of Debian: package
// debian-archive-keyring.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// packages reads the packages of one release of Debian and one architecture with
// apt, from lists of its own: the machine's package sources stay as they are.
type packages struct {
	folder  string
	options []string
}

func openPackages(ctx context.Context, cache, suite, arch string) (*packages, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("the kernels are those of Debian's packages, and come with apt-get, which runs on Debian: %w", err)
	}
	p := &packages{folder: filepath.Join(cache, "apt-"+suite+"-"+arch)}
	sources, err := aptSources(ctx, p.folder, suite)
	if err != nil {
		return nil, err
	}
	// What is installed here is of no matter, and of another architecture.
	p.options = slices.Concat(sources, []string{"APT::Architecture=" + arch, "APT::Architectures=" + arch, "Dir::State::status=/dev/null"})
	_, err = output(p.command(ctx, "apt-get", "update"))
	return p, err
}

// aptSources returns options that have apt read the packages of some releases of
// Debian alone, from the mirrors that this machine is set up with, and keep its
// lists in a folder.
func aptSources(ctx context.Context, folder string, suites ...string) ([]string, error) {
	mirror, security, err := mirrors(ctx)
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for _, suite := range suites {
		from := mirror
		if strings.HasSuffix(suite, "-security") {
			from = security
		}
		fmt.Fprintf(&lines, "deb [signed-by=%s] %s %s main\n", keyring, from, suite)
	}
	file, lists := filepath.Join(folder, "sources.list"), filepath.Join(folder, "lists")
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
		return nil, err
	}
	options := []string{
		"Dir::Etc::sourcelist=" + file, "Dir::Etc::sourceparts=/dev/null", "Dir::State::lists=" + lists,
		"Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=",
		"Acquire::Languages=none", // no descriptions
	}
	if os.Geteuid() == 0 {
		// Else it downloads as a user who may not enter the folder.
		options = append(options, "APT::Sandbox::User=root")
	}
	return options, nil
}

// mirrors returns where this machine gets Debian's releases and their security
// updates from.
func mirrors(ctx context.Context) (mirror, security string, err error) {
	targets, err := configuredSuites(ctx)
	if err != nil {
		return "", "", err
	}
	for _, target := range targets {
		if strings.HasSuffix(target.suite, "-security") {
			security = target.from
		} else {
			mirror = target.from
		}
	}
	if mirror == "" || security == "" {
		return "", "", errors.New("apt is set up with no mirror of Debian, or with none of its security updates: see sources.list(5)")
	}
	return mirror, security, nil
}

// suite is a release that apt is set up with.
type suite struct{ from, suite string }

func configuredSuites(ctx context.Context) ([]suite, error) {
	output, err := output(exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"))
	if err != nil {
		return nil, err
	}
	var list []suite
	for line := range strings.Lines(output) {
		if fields := strings.Fields(line); len(fields) == 2 {
			list = append(list, suite{fields[0], fields[1]})
		}
	}
	return list, nil
}

// search returns the packages whose names match a regular expression.
func (p *packages) search(ctx context.Context, pattern string) ([]string, error) {
	output, err := output(p.command(ctx, "apt-cache", "search", "--names-only", pattern))
	if err != nil {
		return nil, err
	}
	var names []string
	for lines := bufio.NewScanner(strings.NewReader(output)); lines.Scan(); {
		name, _, _ := strings.Cut(lines.Text(), " ")
		names = append(names, name)
	}
	return names, nil
}

// unpack downloads a package and unpacks it into a folder, without installing it.
func (p *packages) unpack(ctx context.Context, name, folder string) error {
	work, err := os.MkdirTemp(p.folder, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	download := p.command(ctx, "apt-get", "download", name)
	download.Dir = work
	if _, err := output(download); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("apt-get download %s left %d packages: %w", name, len(files), err)
	}
	_, err = output(exec.CommandContext(ctx, "dpkg-deb", "--extract", files[0], folder))
	return err
}

func (p *packages) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, program, append(withOptions(p.options), args...)...)
}

func withOptions(options []string) []string {
	args := []string{"-q"}
	for _, option := range options {
		args = append(args, "-o", option)
	}
	return args
}

// output runs a command, and returns what it printed.
func output(command *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, stderr.String())
	}
	return string(stdout), nil
}
