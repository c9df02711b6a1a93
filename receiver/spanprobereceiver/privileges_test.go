package spanprobereceiver

import (
	"flag"
	"fmt"
	"os"
)

// skipWithoutPrivileges leaves out of a run without root what starts the
// receiver: loading BPF programs needs privileges, whatever the configuration.
// The generated TestMain calls it. Everything else is tested all the same.
func skipWithoutPrivileges() {
	if os.Geteuid() == 0 {
		return
	}
	const lifecycle = "^TestComponentLifecycle$/-lifecycle$"
	if err := flag.Set("test.skip", lifecycle); err != nil {
		panic(err) // the testing package has had this flag since Go 1.20
	}
	fmt.Fprintln(os.Stderr, "Not root: tests that start the receiver are left out:", lifecycle)
}
