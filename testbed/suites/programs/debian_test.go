//go:build matrix

package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// unpack fetches a package and returns the folder of its files, or finds it
// where an earlier run has left it.
func unpack(t *testing.T, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "spanprobe-packages", name)
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	download := t.TempDir()
	command(t, download, "apt-get", "download", name)
	files, err := filepath.Glob(filepath.Join(download, "*.deb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("apt-get download %s left %v, %v", name, files, err)
	}
	if err := os.MkdirAll(folder+".new", 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, download, "dpkg", "-x", files[0], folder+".new")
	if err := os.Rename(folder+".new", folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

// inPlace has a program find its package's /usr/share where it looks for it: in
// a mount namespace of its own.
const inPlace = `mount -t overlay overlay -o "lowerdir=$0/usr/share:/usr/share" /usr/share && exec "$@"`

// run starts a program, which ends with the test.
func run(t *testing.T, root, executable string, p program, address string) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range p.files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("unshare", append([]string{"--mount", "sh", "-c", inPlace, root, executable},
		p.arguments(folder, address)...)...)
	c.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder,
		fmt.Sprint("PORT=", port(t, address)))
	c.Dir = folder
	start(t, c)
}
