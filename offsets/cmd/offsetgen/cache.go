package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"

	"github.com/spanprobe/spanprobe/internal/model"
)

// cache keeps what was found in each release of one module.
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
	found := decode(content)
	for _, field := range c.wanted {
		if found[field.String()] == nil {
			return nil, nil
		}
	}
	return found, nil
}

// decode returns nil for what is damaged: it can be found again.
func decode(content []byte) layout {
	var found layout
	if err := json.Unmarshal(content, &found); err != nil {
		return nil
	}
	return found
}

// store keeps what was found beside what is there: another checkout may want other
// fields.
func (c cache) store(version string, found layout) error {
	if content, err := os.ReadFile(c.path(version)); err == nil {
		both := layout{}
		maps.Copy(both, decode(content))
		maps.Copy(both, found)
		found = both
	}
	content, err := json.MarshalIndent(found, "", "\t")
	if err != nil {
		return err
	}
	temporary := c.path(version) + ".new"
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, c.path(version))
}
