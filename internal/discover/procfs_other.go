//go:build !linux

package discover

import (
	"errors"

	"github.com/spanprobe/spanprobe/internal/model"
)

func readFile(string, []byte) (int, error) { return 0, errors.ErrUnsupported }

func fileID(string) (model.ExeID, error) { return model.ExeID{}, errors.ErrUnsupported }
