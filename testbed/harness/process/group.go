package process

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// attributes are those of a command that is to have a process group of its own, which Ctrl-C does
// not reach.
func attributes(command *exec.Cmd) *syscall.SysProcAttr {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
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
