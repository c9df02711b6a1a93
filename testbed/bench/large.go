package main

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// large says how large a program is made: a server that has very many functions, none of
// which the linker can leave out, and data.
type large struct {
	packages  int
	functions int // of each package
	types     int // of each package
	data      int // bytes
}

// asLargeAsTheyCome is larger than any program that the tests know.
var asLargeAsTheyCome = large{packages: 200, functions: 1000, types: 50, data: 42 << 20}

// build makes the program, from sources in dir.
func (l large) build(ctx context.Context, dir, output string) error {
	var imports, calls strings.Builder
	for i := range l.packages {
		name := fmt.Sprintf("p%d", i)
		if err := writeFile(filepath.Join(dir, name, name+".go"), l.source(name)); err != nil {
			return err
		}
		fmt.Fprintf(&imports, "\t%q\n", "example.com/large/"+name)
		fmt.Fprintf(&calls, "\tn, types = %s.Call(n), append(types, %[1]s.Types...)\n", name)
	}
	data := make([]byte, l.data)
	if _, err := rand.NewChaCha8([32]byte{}).Read(data); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"go.mod": "module example.com/large\n\ngo 1.26\n",
		"data":   string(data),
		"main.go": "package main\n\nimport (\n\t_ \"embed\"\n\t\"fmt\"\n\t\"net/http\"\n\n" + imports.String() + ")\n\n//go:embed data\nvar data string\n\n" +
			"func main() {\n\tn, types := len(data), []any{}\n" + calls.String() + "\tfmt.Println(n, data, types)\n\tpanic(http.ListenAndServe(\"127.0.0.1:0\", nil))\n}\n",
	} {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	_, err := goCommand(ctx, dir, "build", "-trimpath", "-o", output, ".")
	return err
}

// source is that of a package all of whose functions are in a slice; each
// inlines another.
func (l large) source(name string) string {
	var b, all strings.Builder
	fmt.Fprintf(&b, "package %s\n\nfunc step(n int) int { return 3*n + 1 }\n\n", name)
	for i := range l.functions {
		fmt.Fprintf(&b, "func f%d(n int) int { return step(n + %[1]d) }\n", i)
		fmt.Fprintf(&all, "f%d, ", i)
	}
	fmt.Fprintf(&b, "\nvar functions = []func(int) int{%s}\n\nfunc Call(n int) int {\n\tfor _, f := range functions {\n\t\tn = f(n)\n\t}\n\treturn n\n}\n\n", all.String())
	all.Reset()
	for i := range l.types {
		fmt.Fprintf(&b, "type t%d struct {\n\tname string\n\tnext *t%[1]d\n\tvalues []int\n}\n", i)
		fmt.Fprintf(&all, "&t%d{}, ", i)
	}
	fmt.Fprintf(&b, "\nvar Types = []any{%s}\n", all.String())
	return b.String()
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// ofNoRelease makes a copy of a program that says that it was built by a release of Go
// that there is not.
func ofNoRelease(path, to, goVersion string) (err error) {
	if err := copyFile(path, to); err != nil {
		return err
	}
	program, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	file, err := elf.NewFile(program)
	if err != nil {
		return err
	}
	section := file.Section(".go.buildinfo")
	if section == nil {
		return errors.New("it has no build information")
	}
	info, err := section.Data()
	if err != nil {
		return err
	}
	at := bytes.Index(info, []byte(goVersion))
	const known = len("go1.")
	if at < 0 || len(goVersion) <= known {
		return fmt.Errorf("its build information does not have %q", goVersion)
	}
	_, err = program.WriteAt([]byte(strings.Repeat("9", len(goVersion)-known)), int64(section.Offset)+int64(at+known))
	return err
}
