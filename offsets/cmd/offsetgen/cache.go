package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/spanprobe/spanprobe/internal/model"
)

// cache keeps what was found in each release.
type cache struct {
	folder string
	wanted []model.Field
}

func openCache(wanted []model.Field) (cache, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return cache{}, err
	}
	folder := filepath.Join(user, "spanprobe-offsets")
	return cache{folder, wanted}, os.MkdirAll(folder, 0o755)
}

func (c cache) path(version string) string { return filepath.Join(c.folder, "go"+version+".json") }

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
	var found layout
	if err := json.Unmarshal(content, &found); err != nil {
		return nil, err
	}
	for _, field := range c.wanted {
		if found[field.String()] == nil {
			return nil, nil
		}
	}
	return found, nil
}

func (c cache) store(version string, found layout) error {
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
