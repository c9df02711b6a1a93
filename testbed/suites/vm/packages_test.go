package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// keyring holds the keys of all releases of Debian: package debian-archive-keyring.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// packages reads packages of Debian with apt, from package sources and lists of its own: those of
// this machine stay as they are.
type packages struct {
	folder  string
	options []string // of apt
}

// openPackages reads the lists of some suites of Debian, such as "trixie-backports".
func openPackages(
	ctx context.Context, d debian, folder string, options []string, suites ...string,
) (*packages, error) {
	lists := filepath.Join(folder, "lists")
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		return nil, err
	}
	sources := ""
	for _, suite := range suites {
		mirror := d.mirror
		if strings.HasSuffix(suite, "-security") {
			mirror = d.security
		}
		sources += fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
	}
	file := filepath.Join(folder, "sources.list")
	if err := os.WriteFile(file, []byte(sources), 0o644); err != nil {
		return nil, err
	}
	options = append(options, "Dir::Etc::sourcelist="+file, "Dir::Etc::sourceparts=/dev/null",
		"Dir::State::lists="+lists, "Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=",
		"Acquire::Languages=none") // no descriptions
	if os.Geteuid() == 0 {
		// Else apt downloads as a user who may not enter the folder.
		options = append(options, "APT::Sandbox::User=root")
	}
	p := &packages{folder, options}
	_, err := output(p.command(ctx, "apt-get", "update"))
	return p, err
}

func (p *packages) command(ctx context.Context, args ...string) *exec.Cmd {
	for _, option := range p.options {
		args = append(args, "-o", option)
	}
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// search returns the packages whose names match a regular expression.
func (p *packages) search(ctx context.Context, pattern string) ([]string, error) {
	found, err := output(p.command(ctx, "apt-cache", "search", "--names-only", pattern))
	var names []string
	for line := range strings.Lines(found) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names, err
}

// unpack downloads packages and unpacks them into a folder, without installing them.
func (p *packages) unpack(ctx context.Context, folder string, names ...string) error {
	work, err := os.MkdirTemp(p.folder, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	download := p.command(ctx, append([]string{"apt-get", "-q", "download"}, names...)...)
	download.Dir = work
	if _, err := output(download); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(files) != len(names) {
		return fmt.Errorf("apt-get download %v left %d packages: %w", names, len(files), err)
	}
	for _, file := range files {
		extract := exec.CommandContext(ctx, "dpkg-deb", "--extract", file, folder)
		if _, err := output(extract); err != nil {
			return err
		}
	}
	return nil
}

// debian is what this machine gets its packages from.
type debian struct {
	release          string // "bookworm"
	mirror, security string // URLs: of releases, and of their security updates
}

func thisDebian(ctx context.Context) (d debian, err error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return d, fmt.Errorf("kernels and emulators are those of Debian's packages, "+
			"and come with apt-get, which runs on Debian: %w", err)
	}
	configured, err := output(exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"))
	if err != nil {
		return d, err
	}
	for line := range strings.Lines(configured) {
		mirror, suite, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.HasSuffix(suite, "-security"):
			d.security = mirror
		case !strings.Contains(suite, "-"): // updates and backports have the same mirror
			d.mirror, d.release = mirror, suite
		}
	}
	if d.mirror == "" || d.security == "" {
		err = errors.New("apt is set up with no mirror of Debian, " +
			"or with none of its security updates: see sources.list(5)")
	}
	return d, err
}

// output runs a command, and returns what it printed.
func output(command *exec.Cmd) (string, error) {
	var complaint strings.Builder
	command.Stderr = &complaint
	text, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, &complaint)
	}
	return string(text), err
}
