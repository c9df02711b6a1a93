package vm

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Kernel names a kernel: the newest of its series in a suite of Debian.
type Kernel struct {
	Series string // "6.12"
	Arch   string // GOARCH
	Suite  string // "trixie-backports"
}

func (k Kernel) String() string { return k.Series + " " + k.Arch }

// KernelFiles are what a machine needs of a kernel.
type KernelFiles struct {
	Release string // as uname says it
	Image   string // path
	Overlay string // path of the module for overlayfs, compressed or not
}

// CacheFolder is where kernels and programs stay from one run to the next.
func CacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "spanprobe-vm")
	return cache, os.MkdirAll(cache, 0o755)
}

// Find returns the files of a kernel, and fetches them into the cache folder the first time. When
// they are removed from there, they are fetched anew.
func (k Kernel) Find(ctx context.Context, cache string) (KernelFiles, error) {
	folder := filepath.Join(cache, "kernel-"+k.Series+"-"+k.Arch)
	if files, ok := kept(folder); ok {
		return files, nil
	}
	if err := k.fetch(ctx, cache, folder); err != nil {
		return KernelFiles{}, fmt.Errorf("fetch kernel %s: %w", k, err)
	}
	files, _ := kept(folder)
	return files, nil
}

// kept finds a kernel where fetch has left it: in a folder that has the name of its release.
func kept(folder string) (files KernelFiles, ok bool) {
	images, _ := filepath.Glob(filepath.Join(folder, "*", "vmlinuz"))
	overlays, _ := filepath.Glob(filepath.Join(folder, "*", "overlay.ko*"))
	if len(images) != 1 || len(overlays) != 1 {
		return files, false
	}
	return KernelFiles{filepath.Base(filepath.Dir(images[0])), images[0], overlays[0]}, true
}

// fetch keeps a kernel's files in a folder, which is there when all of them are.
func (k Kernel) fetch(ctx context.Context, cache, folder string) error {
	d, err := thisDebian(ctx)
	if err != nil {
		return err
	}
	// The packages that are installed here are of no matter, and of another architecture.
	options := []string{
		"APT::Architecture=" + k.Arch, "APT::Architectures=" + k.Arch,
		"Dir::State::status=/dev/null",
	}
	lists := filepath.Join(cache, "apt-"+k.Suite+"-"+k.Arch)
	packages, err := openPackages(ctx, d, lists, options, k.Suite)
	if err != nil {
		return err
	}
	names, err := packages.search(ctx, "^linux-image-"+regexp.QuoteMeta(k.Series)+`\.`)
	if err != nil {
		return err
	}
	name := newestOf(names, k)
	if name == "" {
		return fmt.Errorf("no package linux-image-%s.*-cloud-%s in Debian's %s",
			k.Series, k.Arch, k.Suite)
	}
	// Newer packages (7.3) have the image and the modules in packages of their own.
	release := strings.TrimPrefix(name, "linux-image-")
	parts, err := packages.search(ctx, "^linux-(binary|modules)-"+regexp.QuoteMeta(release)+"$")
	if err != nil {
		return err
	}
	unpacked, err := os.MkdirTemp(cache, "unpacked-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unpacked)
	if err := packages.unpack(ctx, unpacked, append(parts, name)...); err != nil {
		return err
	}
	return keep(unpacked, folder, release)
}

// keep moves the files that are needed of a kernel to where they stay.
func keep(unpacked, folder, release string) error {
	work := folder + ".new"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(work, release), 0o755); err != nil {
		return err
	}
	err := filepath.WalkDir(unpacked, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil || !entry.Type().IsRegular():
			return err
		case strings.HasPrefix(name, "vmlinuz"):
			name = "vmlinuz"
		case !strings.HasPrefix(name, "overlay.ko"):
			return nil
		}
		return os.Rename(path, filepath.Join(work, release, name))
	})
	if err != nil {
		return err
	}
	if _, ok := kept(work); !ok {
		return fmt.Errorf("the packages hold no kernel with one module for overlayfs")
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return os.Rename(work, folder)
}

// newestOf picks the newest kernel of a series; "" if there is none. Only the "cloud" flavour is
// considered: it is small, and has built in all that a virtual machine needs.
func newestOf(names []string, k Kernel) string {
	right := regexp.MustCompile(`^linux-image-` + regexp.QuoteMeta(k.Series) +
		`\.[0-9.]+(-[0-9]+)?(\+[a-z0-9]+)?-cloud-` + k.Arch + `$`)
	newest := ""
	for _, name := range names {
		if right.MatchString(name) && slices.Compare(numbersIn(name), numbersIn(newest)) > 0 {
			newest = name
		}
	}
	return newest
}

// numbersIn lists the numbers in a text.
func numbersIn(text string) []int {
	var list []int
	for _, digits := range regexp.MustCompile(`[0-9]+`).FindAllString(text, -1) {
		if n, err := strconv.Atoi(digits); err == nil { // else it is no version's
			list = append(list, n)
		}
	}
	return list
}

func TestTheNewestKernelOfASeriesIsChosen(t *testing.T) {
	names := []string{
		"linux-image-6.12.9+bpo-cloud-amd64", "linux-image-6.12.117+deb13-cloud-amd64",
		"linux-image-6.12.95+deb12-cloud-amd64", "linux-image-6.12.200+deb13-amd64",
		"linux-image-6.12.200+deb13-cloud-amd64-dbg",
		"linux-image-6.12.200+deb13-cloud-amd64-unsigned",
		"linux-image-6.12.300+deb13-cloud-arm64", "linux-image-6.1.0-9-cloud-amd64",
		"linux-image-6.1.0-50-cloud-amd64",
	}
	for series, want := range map[string]string{
		"6.12": "linux-image-6.12.117+deb13-cloud-amd64",
		"6.1":  "linux-image-6.1.0-50-cloud-amd64",
		"6":    "linux-image-6.12.117+deb13-cloud-amd64",
		"5.10": "",
	} {
		if got := newestOf(names, Kernel{Series: series, Arch: "amd64"}); got != want {
			t.Errorf("series %s: %q, not %q", series, got, want)
		}
	}
}
