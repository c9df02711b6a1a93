package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// cache keeps what was found in each release of one module: in its sources, and in
// what compilers made of them.
type cache struct {
	folder string
	module string
	wanted []model.Field
}

// openCache opens the cache of a module in a folder, below which each module has
// one of its own.
func openCache(folder, module string, wanted []model.Field) (cache, error) {
	c := cache{folder, module, wanted}
	return c, os.MkdirAll(filepath.Dir(c.path("")), 0o755)
}

// cacheFolder is where the caches are.
func cacheFolder() (string, error) {
	user, err := os.UserCacheDir()
	return filepath.Join(user, "spanprobe-offsets"), err
}

func (c cache) path(version string) string {
	if c.module == model.ModuleStd {
		return filepath.Join(c.folder, "go"+version+".json")
	}
	return filepath.Join(c.folder, filepath.FromSlash(c.module), version+".json")
}

// load returns nil for a release that was not examined yet, or not for all of
// the fields that are wanted now.
func (c cache) load(version string) (layout, error) {
	content, err := os.ReadFile(c.path(version))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := decode[layout](content)
	for _, field := range c.wanted {
		for _, arch := range architectures {
			if at, there := found[field.String()][arch]; !there || at.Exists && at.Kind == "" {
				return nil, nil
			}
		}
	}
	return found, nil
}

// decode returns nothing for what is damaged: it can be found again.
func decode[T any](content []byte) T {
	var found, nothing T
	if err := json.Unmarshal(content, &found); err != nil {
		return nothing
	}
	return found
}

// store keeps what was found beside what is there: another checkout may want other
// fields.
func (c cache) store(version string, found layout) error {
	if content, err := os.ReadFile(c.path(version)); err == nil {
		both := layout{}
		maps.Copy(both, decode[layout](content))
		maps.Copy(both, found)
		found = both
	}
	return write(c.path(version), found)
}

// compiled is what compilers made of structs in one release.
type compiled struct {
	Programs []string // that were compiled, as one
	Structs  []string // that were looked for in its debug information
	Found    map[model.Arch]structs
}

func (c cache) compiledPath(version string) string {
	return strings.TrimSuffix(c.path(version), ".json") + ".compiled.json"
}

// loadCompiled returns nil for a release with which the programs were not compiled yet, or in which
// not all of the structs were looked for that are wanted now.
func (c cache) loadCompiled(version string, programs []string) (*compiled, error) {
	content, err := os.ReadFile(c.compiledPath(version))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if found := decode[compiled](content); found.covers(programs, c.wanted) {
		return &found, nil
	}
	return nil, nil
}

// covers tells whether it is of some programs, and has looked for the structs of fields.
func (f compiled) covers(programs []string, wanted []model.Field) bool {
	for _, name := range structsOf(wanted) {
		if !slices.Contains(f.Structs, name) {
			return false
		}
	}
	for _, arch := range architectures {
		if f.Found[arch] == nil {
			return false
		}
	}
	return slices.Equal(f.Programs, programs)
}

func (c cache) storeCompiled(version string, found *compiled) error {
	return write(c.compiledPath(version), found)
}

// write never leaves half a file.
func write(path string, content any) error {
	encoded, err := json.MarshalIndent(content, "", "\t")
	if err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, encoded, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
