package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	pathpkg "path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/offsets"
)

// modulesSeenBy is the minor release of Go 1 whose build tags hold for modules, whichever runs
// this. It is 26: from Go 1.27 on, a module may leave its work to the standard library, and has
// neither the structs then nor the functions that would be probed.
const modulesSeenBy = 26

// modules are the folders of an examined module and of those that it imports.
type modules struct {
	examined string            // path
	folders  map[string]string // by path
}

// folder is where a package is, or "" if none of the modules has it. The one
// with the longest path has it where several could.
func (m modules) folder(path string) string {
	for module := path; module != "."; module = pathpkg.Dir(module) {
		root, ok := m.folders[module]
		folder := filepath.Join(root, strings.TrimPrefix(path, module))
		if ok && exists(folder) {
			return folder
		}
	}
	return ""
}

// moduleReleases are the releases of a module, with what each requires.
type moduleReleases struct {
	path string
	rule probe.Rule
	ofGo map[model.Arch]*checker // of the toolchain that runs this, made when needed
}

func (m moduleReleases) versions(ctx context.Context) ([]string, error) {
	versions, err := listVersions(ctx, m.path)
	if err != nil {
		return nil, err
	}
	for _, requirer := range m.rule.Requirers {
		required, err := m.requiredBy(ctx, requirer)
		if err != nil {
			return nil, err
		}
		versions = append(versions, required...)
	}
	return offsets.Releases(append(versions, m.rule.Also...), m.rule.Oldest)
}

// listVersions lists the versions of a module that have a tag.
func listVersions(ctx context.Context, path string) ([]string, error) {
	listed, err := goCommand(ctx, nil, "list", "-m", "-versions", "-json", path)
	if err != nil {
		return nil, err
	}
	var module struct{ Versions []string }
	err = json.Unmarshal(listed, &module)
	return module.Versions, err
}

// requiredBy lists the versions of the module that the go.mod files of a
// requirer's releases name.
func (m moduleReleases) requiredBy(ctx context.Context, requirer string) ([]string, error) {
	versions, err := listVersions(ctx, requirer)
	if err != nil {
		return nil, err
	}
	versions, err = offsets.Releases(versions, "v0.0.0")
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	args := []string{"list", "-m", "-f", "{{.GoMod}}"}
	for _, version := range versions {
		args = append(args, requirer+"@"+version)
	}
	files, err := goCommand(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	var required []string
	for file := range strings.Lines(string(files)) {
		version, err := requirement(ctx, strings.TrimSpace(file), m.path)
		if err != nil {
			return nil, err
		}
		required = append(required, version)
	}
	return required, nil
}

// requirement is the version of a module that a go.mod file requires, or "".
func requirement(ctx context.Context, file, path string) (string, error) {
	content, err := goCommand(ctx, nil, "mod", "edit", "-json", file)
	if err != nil {
		return "", err
	}
	var parsed struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(content, &parsed); err != nil {
		return "", err
	}
	for _, required := range parsed.Require {
		if required.Path == path {
			return required.Version, nil
		}
	}
	return "", nil
}

func (m moduleReleases) examine(
	ctx context.Context, version string, wanted []model.Field,
) (found layout, err error) {
	temporary, err := os.MkdirTemp("", "offsetgen-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, removeAll(temporary)) }()
	fetched, err := m.fetch(ctx, temporary, version, wanted)
	if err != nil {
		return nil, err
	}
	return layoutOf(wanted, func(arch model.Arch) (*checker, error) {
		if m.ofGo[arch] == nil {
			root, err := localRoot(ctx)
			if err != nil {
				return nil, err
			}
			tags, err := toolTags(ctx, root, arch)
			if err != nil {
				return nil, err
			}
			m.ofGo[arch] = newChecker(root, localVersion(), arch, tags)
		}
		return m.ofGo[arch].forModule(fetched), nil
	})
}

// fetch downloads a release into a folder, and what the packages of the wanted
// fields import. The go command checks it against the checksum database.
func (m moduleReleases) fetch(
	ctx context.Context, folder, version string, wanted []model.Field,
) (modules, error) {
	cache := []string{"GOMODCACHE=" + filepath.Join(folder, "cache")}
	root, err := download(ctx, cache, m.path+"@"+version)
	if err != nil {
		return modules{}, err
	}
	fetched := modules{m.path, map[string]string{m.path: root}}
	packages := fetched.having(wanted)
	if len(packages) == 0 {
		return fetched, nil
	}
	project := filepath.Join(folder, "project")
	if err := m.require(project, version); err != nil {
		return modules{}, err
	}
	const form = "{{with .Module}}{{.Path}} {{.Dir}}{{end}}"
	listed, err := goCommand(
		ctx,
		cache,
		append([]string{"list", "-C", project, "-deps", "-f", form}, packages...)...)
	if err != nil {
		return modules{}, err
	}
	for line := range strings.Lines(string(listed)) {
		path, folder, _ := strings.Cut(strings.TrimSpace(line), " ")
		fetched.folders[path] = folder
	}
	return fetched, nil
}

// having lists the packages of fields that the modules have.
func (m modules) having(wanted []model.Field) []string {
	var packages []string
	for _, field := range wanted {
		if m.folder(field.Package) != "" && !slices.Contains(packages, field.Package) {
			packages = append(packages, field.Package)
		}
	}
	return packages
}

// require makes a module that requires nothing but one version of this one, so
// that of everything else it gets what that version requires.
func (m moduleReleases) require(folder, version string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	content := fmt.Sprintf("module program\n\ngo %s\n\nrequire %s %s\n", languageOf(localVersion()),
		m.path, version)
	return os.WriteFile(filepath.Join(folder, "go.mod"), []byte(content), 0o644)
}

// compile builds the module's program with the toolchain that runs this, and with
// the user's build cache: all versions have the same standard library.
func (m moduleReleases) compile(
	ctx context.Context, version string, names []string,
) (map[model.Arch]structs, error) {
	own := map[string]bool{}
	found, err := compiledStructs(
		names,
		func(work string, arch model.Arch, executable string) error {
			if err := m.require(work, version); err != nil {
				return err
			}
			if err := writeProgram(work, m.rule.Programs); err != nil {
				return err
			}
			environment := []string{
				"GOMODCACHE=" + filepath.Join(work, "modules"), "GOEXPERIMENT=", "GOOS=linux",
				"GOARCH=" + string(arch), "CGO_ENABLED=0",
			}
			if _, err := goCommand(ctx, environment, "build", "-C", work, "-o", executable,
				"."); err != nil {
				return err
			}
			const form = "{{with .Module}}{{.Path}}{{end}} {{.ImportPath}}"
			listed, err := goCommand(ctx, environment, "list", "-C", work, "-deps", "-f", form, ".")
			for line := range strings.Lines(string(listed)) {
				if path, pkg, _ := strings.Cut(strings.TrimSpace(line), " "); path == m.path {
					own[pkg] = true
				}
			}
			return err
		},
	)
	for _, structs := range found {
		// A package may have moved to another module, and have kept its path.
		maps.DeleteFunc(
			structs, func(name string, _ map[string]int64) bool { return !own[packageOf(name)] },
		)
	}
	return found, err
}
