//go:build linux && amd64 && matrix

package binaries

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/offsets"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

func binaries() map[string]binary {
	all := sample()
	maps.Copy(all, map[string]binary{
		"with debug information that is not compressed": {
			make:   func(t *testing.T) string { return called(t, uncompressed(t), "go1.28.0") },
			source: model.SourceDWARF,
		},
		"with DWARF 4": {
			make: func(t *testing.T) string {
				return called(t, build(t, program{
					source: serverSource,
					env:    []string{"GOEXPERIMENT=nodwarf5"},
				}), "go1.28.0")
			},
			source: model.SourceDWARF,
		},
		"with DWARF 5, by the newest Go": {
			make: func(t *testing.T) string {
				return renamed(t, build(t, program{source: serverSource, goes: newest}),
					"go"+newest, "go1.29.0")
			},
			source: model.SourceDWARF,
		},
		"with DWARF 4, by the newest Go": {
			make: func(t *testing.T) string {
				return renamed(t, build(t, program{
					source: serverSource, goes: newest,
					env: []string{"GOEXPERIMENT=nodwarf5"},
				}), "go"+newest, "go1.29.0")
			},
			source: model.SourceDWARF,
		},
		"with an experiment, stripped": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource,
					env:    []string{"GOEXPERIMENT=nodwarf5"}, args: []string{target.Stripped},
				})
			},
		},
		"with debug information compressed by zstd": {
			make: func(t *testing.T) string {
				return objcopy(t, called(t, plain(t), "go1.28.0"), "--compress-debug-sections=zstd")
			},
			source: model.SourceDWARF,
		},
		"with debug information compressed in the older way": {
			make: func(t *testing.T) string {
				return objcopy(t, objcopy(t, called(t, plain(t), "go1.28.0"),
					"--decompress-debug-sections"), "--compress-debug-sections=zlib-gnu")
			},
			source: model.SourceDWARF,
		},
		"of a development version": {
			make:   func(t *testing.T) string { return called(t, plain(t), "devel go") },
			source: model.SourceDWARF,
		},
		"of a development version, stripped": {
			make: func(t *testing.T) string { return called(t, stripped(t), "devel go") },
			refused: "the tables of " + offsets.Default().Made + " know the releases of Go up to " + offsets.Default().
				Newest(model.ModuleStd),
		},
		"of a release candidate": {
			make: func(t *testing.T) string {
				return build(t, program{source: serverSource, goes: candidate})
			},
			source: model.SourceDWARF,
		},
		"of a release candidate, stripped": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource, goes: candidate,
					args: []string{target.Stripped},
				})
			},
			refused: "the tables do not cover Go " + candidate + ": " + extent(model.ModuleStd),
		},
		"without build information": {make: func(t *testing.T) string {
			return unsaid(t, plain(t))
		}},
		"without build information, of a Go that does not exist yet": {
			make: func(t *testing.T) string {
				return unsaid(t, called(t, uncompressed(t), "go1.28.0"))
			},
			source: model.SourceDWARF,
		},
		"without build information, stripped": {
			make:    func(t *testing.T) string { return unsaid(t, stripped(t)) },
			refused: "a Go executable whose build information cannot be read",
		},
		"packed by UPX": {
			make:    func(t *testing.T) string { return packed(t, stripped(t)) },
			refused: "packed with UPX; unpack it with `upx -d` to have it traced",
		},
		"with FIPS 140-3, certified": {
			make: func(t *testing.T) string {
				return build(t, program{source: serverSource, env: []string{"GOFIPS140=v1.0.0"}})
			},
		},
		"with FIPS 140-3, certified, by the newest Go": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource, goes: newest,
					env: []string{"GOFIPS140=v1.0.0"},
				})
			},
		},
		"with FIPS 140-3, latest, stripped, by the newest Go": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource, goes: newest,
					env: []string{"GOFIPS140=latest"}, args: []string{target.Stripped},
				})
			},
		},
		"with FIPS 140-3, latest, stripped": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource, env: []string{"GOFIPS140=latest"},
					args: []string{target.Stripped},
				})
			},
		},
		"with a profile, and -pgo=off": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource,
					files:  map[string]string{"default.pgo": profile(t)},
					args:   []string{"-pgo=off"},
				})
			},
		},
		"of more than 200 MB": {make: large},
		"of more than 200 MB, of a Go that does not exist yet": {
			make:   func(t *testing.T) string { return called(t, large(t), "go1.28.0") },
			source: model.SourceDWARF,
		},
		"with -trimpath and -X": {
			make: func(t *testing.T) string {
				return build(t, program{
					source: serverSource,
					args:   []string{"-trimpath", "-ldflags=-X main.version=1.2.3"},
				})
			},
		},
		"position-independent, linked by the C compiler's linker": {
			make: func(t *testing.T) string {
				needs(t, "gcc")
				return build(t, program{
					source: serverSource, env: []string{"CGO_ENABLED=1"},
					args: []string{"-buildmode=pie", "-ldflags=-linkmode=external"},
				})
			},
		},
	})
	return all
}

const (
	candidate = "1.26rc1" // a release candidate that can be had
	newest    = "1.27.4"
)

// uncompressed has debug information that is not compressed.
func uncompressed(t *testing.T) string {
	t.Helper()
	return build(t, program{source: serverSource, args: []string{"-ldflags=-compressdwarf=false"}})
}

// unsaid takes the build information out of a program.
func unsaid(t *testing.T, executable string) string {
	t.Helper()
	return objcopy(t, executable, "--remove-section=.go.buildinfo")
}

// large has 210 MB of data before what is read of it.
func large(t *testing.T) string {
	t.Helper()
	executable := build(t, program{source: serverSource, files: map[string]string{
		"large.go": "package main\n\nimport (\n\t\"embed\"\n\t\"os\"\n)\n\n//go:embed large\nvar large embed.FS\n\n" +
			"func init() {\n\tif len(os.Args) > 1000 {\n\t\tlarge.ReadFile(\"large\")\n\t}\n}\n",
		"large": string(make([]byte, 210<<20)),
	}})
	if info, err := os.Stat(executable); err != nil || info.Size() < 200<<20 {
		t.Fatalf("it is not as large as it should be: %v, %v", info, err)
	}
	return executable
}

// packed packs a program with Debian's UPX, which is fetched and not installed.
func packed(t *testing.T, executable string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "lists/partial/none"), "")
	write(
		t,
		filepath.Join(folder, "sources.list"),
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main\n",
	)
	var options []string
	for _, option := range []string{
		"Dir::Etc::sourcelist=" + folder + "/sources.list", "Dir::Etc::sourceparts=/dev/null",
		"Dir::State::lists=" + folder + "/lists",
		"Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", "APT::Sandbox::User=root",
	} {
		options = append(options, "-o", option)
	}
	run(t, folder, nil, "apt-get", append(options, "update")...)
	run(t, folder, nil, "apt-get", append(options, "download", "upx-ucl")...)
	packages, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("packages: %v, %v", packages, err)
	}
	run(t, folder, nil, "dpkg", "-x", packages[0], folder+"/upx")
	path := filepath.Join(folder, "target")
	run(t, folder, nil, folder+"/upx/usr/bin/upx-ucl", "-1", "-o", path, executable)
	return path
}

// objcopy has binutils change an executable.
func objcopy(t *testing.T, executable string, arguments ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "target")
	run(t, "/", nil, "objcopy", append(arguments, executable, path)...)
	return path
}

// needs skips a test without a tool.
func needs(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("there is no %s: %v", tool, err)
	}
}
