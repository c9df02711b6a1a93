//go:build !linux

package discover

import (
	"errors"
	"os"
)

// dumpListeners is only there on Linux.
func dumpListeners(*os.File, func(port uint16) bool, map[uint64]uint16) error {
	return errors.ErrUnsupported
}

func ownNamespace() (string, error) { return "", errors.ErrUnsupported }
