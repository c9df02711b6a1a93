package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spanprobe/spanprobe/internal/model"
)

// cache keeps what was found in each release, for one list of wanted fields.
type cache struct{ folder string }

func openCache(wanted []model.Field) (cache, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return cache{}, err
	}
	list, err := json.Marshal(wanted)
	if err != nil {
		return cache{}, err
	}
	folder := filepath.Join(user, "spanprobe-offsets", fmt.Sprintf("%x", sha256.Sum256(list))[:16])
	return cache{folder}, os.MkdirAll(folder, 0o755)
}

func (c cache) path(version string) string { return filepath.Join(c.folder, "go"+version+".json") }

// load returns nil for a release that was not examined yet.
func (c cache) load(version string) (layout, error) {
	content, err := os.ReadFile(c.path(version))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found layout
	return found, json.Unmarshal(content, &found)
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
