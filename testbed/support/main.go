// Command support writes docs/support.md from what `make test-matrix` has shown: what
// was traced, built with what and how, and what is left out and why. It reads files of
// test2json, or of `go test -v`; of a test that several have, the last one counts.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
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
		// The page says what works; a test that fails says that this is not known.
		fmt.Fprintf(os.Stderr, "support: %d tests have failed, and the page says so: %v\n", len(failed), failed)
	}
	page, err := render(all)
	if err != nil {
		return err
	}
	return os.WriteFile(output, []byte(page), 0o644)
}
