// Command support writes docs/support.md from what `make test-matrix` has shown: what
// was traced, built with what and how, and what is left out and why. It reads files of
// test2json, or of `go test -v`, since a run can be made in parts; of a test that several
// have, the last one counts. It writes no page of tests that failed, that are not those
// of `make test-matrix`, or of which a section has none.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	output := flag.String("o", "docs/support.md", "the `file` that the page is written to")
	flag.Parse()
	if err := run(*output, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "support:", err)
		os.Exit(1)
	}
}

func run(output string, inputs []string) error {
	if len(inputs) == 0 {
		return errors.New("name the files that `make test-matrix` has left: dist/matrix.json")
	}
	all := results{}
	for _, input := range inputs {
		if err := read(input, all); err != nil {
			return fmt.Errorf("%s: %w", input, err)
		}
	}
	if failed := all.failed(); len(failed) > 0 {
		return fmt.Errorf("%d tests have failed: %s", len(failed), strings.Join(failed, ", "))
	}
	page, err := render(all)
	if err != nil {
		return err
	}
	return os.WriteFile(output, []byte(page), 0o644)
}
