// Command support writes docs/support.md from what `make test-matrix` has shown: the programs
// that were traced, how they were built, and those that are left out, with the reason. It reads
// files of test2json. A run may be made in parts: where several files have a test, the last one
// counts. There is no page when a test has failed, when a test is none of
// `make test-matrix`, or when a section has no tests.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/spanprobe/spanprobe/internal/probe"
)

func main() {
	output := flag.String("o", "docs/support.md", "the `file` that the page is written to")
	flag.Parse()
	if err := run(*output, flag.Args(), supports()); err != nil {
		fmt.Fprintln(os.Stderr, "support:", err)
		os.Exit(1)
	}
}

// run writes the page of what the inputs say, with the sections that libraries have.
func run(output string, inputs []string, libraries []probe.Support) error {
	if len(inputs) == 0 {
		return errors.New("name the files that `make test-matrix` has left: dist/matrix.json")
	}
	all := results{}
	for _, input := range inputs {
		if err := all.read(input); err != nil {
			return fmt.Errorf("%s: %w", input, err)
		}
	}
	if failed := all.failed(); len(failed) > 0 {
		return fmt.Errorf("%d tests have failed: %s", len(failed), strings.Join(failed, ", "))
	}
	page, err := render(all, libraries)
	if err != nil {
		return err
	}
	return os.WriteFile(output, []byte(page), 0o644)
}
