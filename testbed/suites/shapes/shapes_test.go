//go:build linux && amd64

// Package shapes tests in the running kernel that the instruction which the
// planner chooses for the entry into a function runs once for each call, however
// the function was compiled. It needs root.
package shapes

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

const source = "testbed/targets/shapes"

var functions = []string{
	"main.Deep", "main.Medium", "main.Large", "main.Huge", "main.Deferring",
	"main.(*method).Call",
}

// hits are the hits of one site.
type hits struct {
	goesOn uint64 // the flags say that the function goes on
	again  uint64 // they say that it will run again, on a larger stack
}

func TestEachCallIsOneHitWhoseFlagsSayThatItGoesOn(t *testing.T) {
	for _, build := range builds() {
		t.Run(build.String(), func(t *testing.T) {
			executable := target.MustCompile(t, build)
			sites := sitesOf(t, executable)
			counts := attach(t, executable, sites)
			calls := run(t, executable)
			again := uint64(0)
			for i, site := range sites {
				var got hits
				if err := counts.Lookup(uint32(2*i), &got.goesOn); err != nil {
					t.Fatal(err)
				}
				if err := counts.Lookup(uint32(2*i+1), &got.again); err != nil {
					t.Fatal(err)
				}
				if got.goesOn != calls[site.Symbol] || got.goesOn == 0 {
					t.Errorf("%s at %q: %d calls, %d hits and %d before its stack grew",
						site.Symbol, site.Instruction, calls[site.Symbol], got.goesOn, got.again)
				}
				if got.again > 0 && site.Instruction == "push %rbp" {
					t.Errorf(
						"%s: behind its stack check, the flags of %d hits say that it will run again",
						site.Symbol,
						got.again,
					)
				}
				again += got.again
			}
			if again == 0 && sites[0].Instruction != "push %rbp" {
				t.Error("no stack grew: the flags were not needed")
			}
		})
	}
}

// sitesOf plans a probe on each function.
func sitesOf(t *testing.T, executable string) []plan.Site {
	t.Helper()
	inspected := target.Inspect(t, executable)
	b, err := inspected.Binary(functions)
	if err != nil {
		t.Fatal(err)
	}
	library := probe.Library{Name: "calls"}
	for _, symbol := range functions {
		library.Hooks = append(library.Hooks,
			probe.Hook{Symbol: symbol, Event: probe.Enter, Program: "count"})
	}
	none := func(model.Field) (model.FieldOffset, error) { return model.FieldOffset{}, nil }
	l := plan.Build(b, []probe.Library{library}, none, nil).Libraries[0]
	if !l.Traced() || len(l.Sites) != len(functions) {
		t.Fatalf("%d sites, left out: %q", len(l.Sites), l.LeftOut)
	}
	for _, site := range l.Sites {
		if site.Class != plan.Emulated {
			t.Errorf("%s at %q is %s", site.Symbol, site.Instruction, site.Class)
		}
	}
	return l.Sites
}

// attach counts the hits of site i in slots 2i (it goes on) and 2i+1 (it will run
// again) of the map.
func attach(t *testing.T, path string, sites []plan.Site) *ebpf.Map {
	t.Helper()
	counts, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "hits", Type: ebpf.Array, KeySize: 4,
		ValueSize: 8, MaxEntries: uint32(2 * len(sites)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { counts.Close() })
	executable, err := link.OpenExecutable(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, site := range sites {
		program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Name: "count", Type: ebpf.Kprobe,
			License: "Dual MIT/GPL", Instructions: count(counts, i),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { program.Close() })
		attached, err := executable.Uprobe("", program,
			&link.UprobeOptions{Address: site.FileOffset})
		if err != nil {
			t.Fatalf("attach to %s at %q: %v", site.Symbol, site.Instruction, err)
		}
		t.Cleanup(func() { attached.Close() })
	}
	return counts
}

// count adds one to the slot of a site that the flags choose.
func count(counts *ebpf.Map, site int) asm.Instructions {
	const (
		flags = 18 * 8      // in struct pt_regs: arch/x86/include/uapi/asm/ptrace.h
		taken = 1<<0 | 1<<6 // CF or ZF: `jbe` jumps
	)
	return asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, flags, asm.DWord),
		asm.And.Imm(asm.R6, taken),
		asm.Mov.Imm(asm.R7, int32(2*site)),
		asm.JEq.Imm(asm.R6, 0, "store"),
		asm.Add.Imm(asm.R7, 1),
		asm.StoreMem(asm.RFP, -4, asm.R7, asm.Word).WithSymbol("store"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, counts.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "exit"),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("exit"),
		asm.Return(),
	}
}

// run runs the program and returns how often it called each function.
func run(t *testing.T, executable string) map[string]uint64 {
	t.Helper()
	command := exec.Command(executable)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("run %s: %v", executable, err)
	}
	calls := map[string]uint64{}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		var name string
		var n uint64
		if _, err := fmt.Sscan(lines.Text(), &name, &n); err != nil {
			t.Fatalf("it says %q: %v", lines.Text(), err)
		}
		calls[name] = n
	}
	return calls
}
