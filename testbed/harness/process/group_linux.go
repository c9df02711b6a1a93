package process

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Group gives a command a process group of its own, which Ctrl-C does not reach.
func Group(command *exec.Cmd) { attributes(command).Setpgid = true }

// InterruptGroup does to the group of a command what Ctrl-C does.
func InterruptGroup(command *exec.Cmd) error {
	return syscall.Kill(-command.Process.Pid, syscall.SIGINT)
}

func killGroup(command *exec.Cmd) error {
	return syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
}

func endWithParent(command *exec.Cmd) { attributes(command).Pdeathsig = syscall.SIGTERM }

func attributes(command *exec.Cmd) *syscall.SysProcAttr {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	return command.SysProcAttr
}

// onThread does something on a thread that never ends. The kernel takes the end of the thread that
// has started a process for the end of its parent: prctl(2), PR_SET_PDEATHSIG.
func onThread(do func() error) error {
	done := make(chan error)
	thread() <- func() { done <- do() }
	return <-done
}

var thread = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})
