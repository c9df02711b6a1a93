package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// inspections is how often each binary is inspected.
const inspections = 5

// inspectBinaries has the inspector look at the programs of this run, one of which is made as
// large as they come for that: the largest first.
func (b *bench) inspectBinaries() error {
	b.say("inspecting binaries")
	for _, name := range []string{largeProgram, ofNoGo} {
		// A program that is not planned whole takes no time.
		inspector := exec.CommandContext(b.ctx, b.binaries.path("spanprobe"), "inspect", "--json",
			b.binaries.path(name))
		plan, err := inspector.Output()
		if err != nil || !bytes.Contains(plan, []byte("serve_http")) {
			return fmt.Errorf("%s: nothing of it would be traced: %w", name, err)
		}
	}
	paths, err := filepath.Glob(b.binaries.path("*"))
	if err != nil {
		return err
	}
	for _, path := range append(paths, b.binaries.otelcol) {
		functions := countFunctions(path)
		if functions == 0 {
			continue // a folder, a log
		}
		one, err := inspectBinary(b.ctx, b.binaries.path("spanprobe"), path)
		if err != nil {
			return err
		}
		one.Functions = functions
		b.run.Inspected = append(b.run.Inspected, one)
	}
	slices.SortStableFunc(b.run.Inspected, func(x, y report.Inspected) int {
		return cmp.Compare(y.Size, x.Size)
	})
	return nil
}

// inspection is what it took to inspect a binary.
type inspection struct {
	Took   time.Duration
	Memory int64 // bytes
}

func inspectBinary(ctx context.Context, inspector, path string) (report.Inspected, error) {
	info, err := os.Stat(path)
	if err != nil {
		return report.Inspected{}, err
	}
	one := report.Inspected{Name: filepath.Base(path), Size: info.Size()}
	for range inspections + 1 {
		var once inspection
		self := exec.CommandContext(ctx, "/proc/self/exe", inspectCommand, inspector, path)
		output, err := self.Output()
		if err == nil {
			err = json.Unmarshal(output, &once)
		}
		if err != nil {
			return one, fmt.Errorf("inspect %s: %w", path, err)
		}
		one.Took = append(one.Took, once.Took)
		one.Memory = max(one.Memory, once.Memory)
	}
	one.Took = one.Took[1:] // the first brought the file into memory
	return one, nil
}

// inspectCommand is the argument that makes this program inspect a binary once. The kernel
// counts what the parent has in memory as its child's (fs/exec.c, exec_mmap), so that the
// parent must be a small process.
const inspectCommand = "inspect-once"

func inspectOnce(inspector, path string, w io.Writer) error {
	command := exec.Command(inspector, "inspect", "--json", path)
	start := time.Now()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	took := time.Since(start)
	memory := command.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	return json.NewEncoder(w).Encode(inspection{took, memory})
}

// countFunctions reads how many functions a Go executable has: src/runtime/symtab.go,
// pcHeader. 0: it is none.
func countFunctions(path string) int {
	file, err := elf.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	section := file.Section(".gopclntab")
	if section == nil {
		return 0
	}
	var header [16]byte
	if _, err := section.ReadAt(header[:], 0); err != nil {
		return 0
	}
	return int(binary.LittleEndian.Uint64(header[8:]))
}
