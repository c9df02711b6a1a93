// Command spanprobe tells what the spanprobe receiver would trace in a Go
// executable, and how. It attaches nothing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/offsets"
)

const usage = `Usage:
  spanprobe inspect [--json] <file|pid>   what would be traced in this program, and how
  spanprobe version                       the version of spanprobe
  spanprobe --help                        this text

inspect reads the executable, and needs no privileges but those to read it: for a
process of another user, CAP_SYS_PTRACE or root. It changes nothing. A number is a
process id: a file of that name is ./12.

Exit code: 0 if the program could be inspected, whether or not there is anything
to trace in it; 1 if not; 2 if the arguments are wrong.
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	i := &inspector{libraries: all.Libraries(), table: offsets.Default(), proc: "/proc"}
	os.Exit(run(os.Args[1:], i, os.Stdout, os.Stderr))
}

// run does what the arguments say, and returns the exit code.
func run(arguments []string, i *inspector, stdout, stderr io.Writer) int {
	if len(arguments) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch arguments[0] {
	case "inspect":
		return runInspect(arguments[1:], i, stdout, stderr)
	case "version", "--version", "-version":
		fmt.Fprintln(stdout, version())
		return exitOK
	case "help", "--help", "-help", "-h":
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	fmt.Fprintf(stderr, "spanprobe: there is no command %q\n\n%s", arguments[0], usage)
	return exitUsage
}

func runInspect(arguments []string, i *inspector, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("inspect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	asJSON := flags.Bool("json", false, "print JSON")
	names, err := parse(flags, arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case len(names) != 1:
		fmt.Fprintf(stderr, "spanprobe: inspect takes one file or pid\n\n%s", usage)
		return exitUsage
	}
	report, err := i.inspect(names[0])
	if err == nil {
		if *asJSON {
			err = report.writeJSON(stdout)
		} else {
			err = report.writePage(stdout)
		}
	}
	if err != nil {
		fmt.Fprintf(stderr, "spanprobe: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// parse takes flags behind the other arguments, too.
func parse(flags *flag.FlagSet, arguments []string) (others []string, err error) {
	for {
		if err := flags.Parse(arguments); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return others, nil
		}
		others = append(others, flags.Arg(0))
		arguments = flags.Args()[1:]
	}
}

func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf(
		"spanprobe %s, %s, %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH,
	)
}
