//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

// The demo ends with an error before it would start anything: see machine.go.

func isolate(*exec.Cmd) {}

func interruptGroup(int) error { return errors.ErrUnsupported }
