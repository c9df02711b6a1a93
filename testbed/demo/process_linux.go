package main

import (
	"os/exec"
	"syscall"
)

// isolate gives a command a process group of its own, and lets the kernel end
// it if the demo itself is killed.
func isolate(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

func interruptGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGINT) }
