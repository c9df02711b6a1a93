package main

import (
	"debug/buildinfo"
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestALargeProgramHasAllOfItsFunctionsAndItsCopyIsOfNoRelease(t *testing.T) {
	dir := t.TempDir()
	program, copied := filepath.Join(dir, "large"), filepath.Join(dir, "copied")
	small := large{Packages: 3, Functions: 20, Types: 2, data: 1 << 20}
	if err := small.build(t.Context(), filepath.Join(dir, "sources"), program); err != nil {
		t.Fatal(err)
	}
	if n := functionsOf(t, program, "example.com/large/p"); n < small.Packages*small.Functions {
		t.Errorf("it has %d functions", n)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := ofNoRelease(program, copied, info.GoVersion); err != nil {
		t.Fatal(err)
	}
	got, err := buildinfo.ReadFile(copied)
	if err != nil || !strings.HasPrefix(got.GoVersion, "go1.999") ||
		len(got.GoVersion) != len(info.GoVersion) {
		t.Errorf("it is of %q, %v", got, err)
	}
	if err := os.Remove(copied); err != nil {
		t.Fatal(err)
	}
	if err := ofNoRelease(program, copied, "go1.2.3.4"); err == nil {
		t.Error("another version was replaced")
	}
}

// functionsOf counts the functions of a program whose names begin so.
func functionsOf(t *testing.T, path, prefix string) (n int) {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if elf.ST_TYPE(symbol.Info) == elf.STT_FUNC && strings.HasPrefix(symbol.Name, prefix) {
			n++
		}
	}
	return n
}

// The memory of this process does not count as the inspector's.
func TestTheMemoryOfAnInspectionIsItsOwn(t *testing.T) {
	const mine = 256 << 20
	much := make([]byte, mine)
	for i := 0; i < len(much); i += os.Getpagesize() {
		much[i] = 1
	}
	stand := filepath.Join(t.TempDir(), "inspector")
	if err := os.WriteFile(stand, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	one, err := inspectBinary(t.Context(), stand, stand)
	if err != nil || len(one.Took) != inspections || one.Memory <= 0 || one.Memory > mine/4 {
		t.Errorf("%+v, %v", one, err)
	}
	runtime.KeepAlive(much)
}

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == inspectCommand {
		exit(inspectOnce(os.Args[2], os.Args[3], os.Stdout))
	}
	os.Exit(m.Run())
}
