package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kernel names a kernel: the newest of its series in a release of Debian.
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

// Find returns the files of a kernel, and fetches them into the cache folder the
// first time. When they are removed from there, they are fetched anew.
func (k Kernel) Find(ctx context.Context, cache string) (KernelFiles, error) {
	folder := filepath.Join(cache, "kernel-"+k.Series+"-"+k.Arch)
	if _, err := os.Stat(folder); err == nil {
		return kernelFiles(folder)
	}
	if err := k.fetch(ctx, cache, folder); err != nil {
		return KernelFiles{}, fmt.Errorf("fetch kernel %s: %w", k, err)
	}
	return kernelFiles(folder)
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

// fetch unpacks a kernel's packages into a folder, which is there when all of
// them are.
func (k Kernel) fetch(ctx context.Context, cache, folder string) error {
	packages, err := openPackages(ctx, cache, k.Suite, k.Arch)
	if err != nil {
		return err
	}
	names, err := packages.search(ctx, "^linux-image-"+regexp.QuoteMeta(k.Series)+`\.`)
	if err != nil {
		return err
	}
	name := newestOf(names, k)
	if name == "" {
		return fmt.Errorf("no package linux-image-%s.*-cloud-%s in Debian's %s", k.Series, k.Arch, k.Suite)
	}
	unpacked, err := os.MkdirTemp(cache, "unpacked-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unpacked)
	if err := packages.unpack(ctx, name, unpacked); err != nil {
		return err
	}
	// Newer packages (7.3) have the image and the modules in packages of their own.
	release := strings.TrimPrefix(name, "linux-image-")
	parts, err := packages.search(ctx, "^linux-(binary|modules)-"+regexp.QuoteMeta(release)+"$")
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := packages.unpack(ctx, part, unpacked); err != nil {
			return err
		}
	}
	files, err := kernelFiles(unpacked)
	if err != nil {
		return err
	}
	return keep(files, folder)
}

// newestOf picks the newest kernel of a series; "" if there is none. Only the
// "cloud" flavour is considered: it is small, and has all that a virtual machine
// needs built in.
func newestOf(names []string, k Kernel) string {
	right := regexp.MustCompile(`^linux-image-` + regexp.QuoteMeta(k.Series) + `\.[0-9.]+(-[0-9]+)?(\+[a-z0-9]+)?-cloud-` + k.Arch + `$`)
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !right.MatchString(name) })
	if len(names) == 0 {
		return ""
	}
	return slices.MaxFunc(names, func(a, b string) int { return slices.Compare(numbersIn(a), numbersIn(b)) })
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

// kernelFiles finds what is needed of a kernel in a folder.
func kernelFiles(folder string) (KernelFiles, error) {
	var files KernelFiles
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.Type().IsRegular():
		case strings.HasPrefix(entry.Name(), "vmlinuz"):
			files.Image = path
		case strings.HasPrefix(entry.Name(), "overlay.ko"):
			files.Overlay = path
			// …/lib/modules/<release>/kernel/fs/overlayfs/overlay.ko
			if _, after, found := strings.Cut(path, "/lib/modules/"); found {
				files.Release, _, _ = strings.Cut(after, "/")
			}
		}
		return nil
	})
	if err == nil && (files.Image == "" || files.Overlay == "" || files.Release == "") {
		err = fmt.Errorf("%s holds no kernel with the module for overlayfs; remove the folder to have it fetched anew", folder)
	}
	return files, err
}

// keep moves a kernel's files to where they stay.
func keep(files KernelFiles, folder string) error {
	work := folder + ".new"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	modules := filepath.Join(work, "lib/modules", files.Release)
	if err := os.MkdirAll(modules, 0o755); err != nil {
		return err
	}
	if err := os.Rename(files.Image, filepath.Join(work, "vmlinuz")); err != nil {
		return err
	}
	if err := os.Rename(files.Overlay, filepath.Join(modules, filepath.Base(files.Overlay))); err != nil {
		return err
	}
	return os.Rename(work, folder)
}
