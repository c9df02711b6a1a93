//go:build !linux

package process

import (
	"errors"
	"os/exec"
)

// On other systems the demo only says that it needs Linux.

// Group does nothing.
func Group(*exec.Cmd) {}

// InterruptGroup is not supported.
func InterruptGroup(*exec.Cmd) error { return errors.ErrUnsupported }

func killGroup(command *exec.Cmd) error { return command.Process.Kill() }

func endWithParent(*exec.Cmd) {}

func onThread(do func() error) error { return do() }
