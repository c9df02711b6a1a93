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

// mark begins the lines of the machine itself. Its serial line carries them, and the output of the
// programs.
const mark = "[machine] "

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
	return strings.TrimRight(fmt.Sprintf("\n%s%s %s %s", mark, what, name, detail), " ") + "\n"
}

// Heard takes a line apart that Say made; ok is false for any other.
func Heard(line string) (what, name, detail string, ok bool) {
	rest, ok := strings.CutPrefix(line, mark)
	if !ok {
		return "", "", "", false
	}
	what, rest, _ = strings.Cut(rest, " ")
	name, detail, _ = strings.Cut(rest, " ")
	return what, name, detail, true
}
