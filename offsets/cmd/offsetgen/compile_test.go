package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/spanprobe/spanprobe/internal/probe"
)

// newProxy makes a folder from which the go command has the first release of modules.
func newProxy(t *testing.T, modules map[string]map[string]string) {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, files := range modules {
		var packed bytes.Buffer
		w := zip.NewWriter(&packed)
		for name, content := range files {
			file, err := w.Create(path + "@v1.0.0/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(path+"/@v/v1.0.0.info", []byte(`{"Version": "v1.0.0"}`))
		write(path+"/@v/v1.0.0.mod", []byte(files["go.mod"]))
		write(path+"/@v/v1.0.0.zip", packed.Bytes())
		write(path+"/@v/list", []byte("v1.0.0\n"))
	}
	t.Setenv("GOPROXY", "file://"+folder)
	t.Setenv("GOSUMDB", "off")
}

func TestOnlyStructsThatAreInTheModuleAreCompared(t *testing.T) {
	const moved = library + "/moved"
	newProxy(t, map[string]map[string]string{
		library: {
			"go.mod": "module " + library + "\n\nrequire " + moved + " v1.0.0\n",
			"kept.go": `package library
				type Kept struct { first uint32; inner; second *inner }
				type inner struct { number int64 }`,
		},
		moved: {
			"go.mod":   "module " + moved + "\n",
			"moved.go": "package moved\ntype Status struct { code int32 }",
		},
	})
	programs := []string{`package main
		import ("` + library + `"; "` + moved + `")
		func init() {
			for _, made := range []any{&library.Kept{}, &moved.Status{}} {
				println(made)
			}
		}`}
	names := []string{library + ".Kept", library + ".gone", moved + ".Status"}
	from := moduleReleases{path: library, rule: probe.Rule{Programs: programs}}
	found, err := from.compile(t.Context(), "v1.0.0", names)
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range architectures {
		kept := found[arch][library+".Kept"]
		if len(found[arch]) != 1 || kept["first"] != 0 || kept["inner"] != 8 ||
			kept["second"] != 16 ||
			kept["*second"] != 16 {
			t.Errorf("%s: %v", arch, found[arch])
		}
		if _, pointer := kept["*inner"]; pointer {
			t.Errorf("%s: what lies in the struct is taken for a pointer", arch)
		}
	}
	programs[0] = "package main\nfunc init() { nothing() }"
	if found, err := from.compile(t.Context(), "v1.0.0", names); err == nil {
		t.Errorf("a program that does not compile: %v", found)
	}
}
