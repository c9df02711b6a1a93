// Package job is what a virtual machine is told to do, and how it tells what became of it: all
// that the host and the machine agree on.
package job

import (
	"fmt"
	"strings"
)

// File is where a machine finds its job, as JSON.
const File = "/job.json"

// Job is what a machine does before it turns itself off.
type Job struct {
	Modules []string // kernel modules to load first, as paths
	Runs    []Run    // one after the other
}

// Run is one program to run as root.
type Run struct {
	Name        string // without spaces
	Folder      string // its working directory
	Program     string // path
	Args        []string
	Environment []string
}

// Mark begins the lines of the machine itself. Its serial line carries them, and the output of the
// programs.
const Mark = "[machine] "

// The subjects of the machine's lines.
const (
	Begins  = "begins"  // a run
	Ends    = "ends"    // a run, with its exit code or what else ended it
	Tainted = "tainted" // the kernel: it has warned of a fault of its own
	Fails   = "fails"   // the machine itself, with the reason
	Done    = "done"    // everything was run
)

// Say makes a line. It begins with a line break, since a program may not have ended its last line.
func Say(what, name, detail string) string {
	return strings.TrimRight(fmt.Sprintf("\n%s%s %s %s", Mark, what, name, detail), " ") + "\n"
}
