package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"

	"github.com/spanprobe/spanprobe/bpf/all"
	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// programID is what a BPF program is known by.
type programID struct {
	library string // "" for those that watch processes
	name    string // what the kernel keeps of it
}

func (id programID) compare(other programID) int {
	return cmp.Or(cmp.Compare(id.library, other.library), cmp.Compare(id.name, other.name))
}

func idOf(p report.Probe) programID { return programID{p.Library, kernelName(p.Program)} }

// kernelName is what the kernel keeps of a program's name: BPF_OBJ_NAME_LEN is 16.
func kernelName(name string) string { return name[:min(len(name), 15)] }

// runs are how often a program ran, and for how long in all.
type runs struct {
	n      uint64
	time   time.Duration
	uprobe bool // else it is on a tracepoint
}

func (r runs) minus(other runs) runs { return runs{r.n - other.n, r.time - other.time, r.uprobe} }

// offsetsMap is the name of the map that the programs of a library share, and
// no others do.
const offsetsMap = "offsets"

// programRuns finds the runs of the programs that a process has open. Libraries may
// have programs of one name: which library a program is of is told by the names
// of all that share its map of offsets.
func programRuns(pid int) (map[programID]runs, error) {
	libraries, err := librariesByPrograms()
	if err != nil {
		return nil, err
	}
	objects, err := bpfObjects(pid)
	if err != nil {
		return nil, err
	}
	byMap := map[ebpf.MapID]map[string]runs{}
	for _, object := range objects {
		if !object.program {
			continue
		}
		name, kind, offsets, err := describeProgram(object.id)
		if err != nil {
			return nil, err
		}
		if byMap[offsets] == nil {
			byMap[offsets] = map[string]runs{}
		}
		byMap[offsets][kernelName(name)] = runs{object.hits, object.time, kind == ebpf.Kprobe}
	}
	all := map[programID]runs{}
	for offsets, programs := range byMap {
		library := ""
		if offsets != 0 {
			var names []string
			for name := range programs {
				names = append(names, name)
			}
			var known bool
			if library, known = libraries[joined(names)]; !known {
				return nil, fmt.Errorf("the collector has a library that is not known, of the programs %v: `make build` makes the collector anew", names)
			}
		}
		for name, r := range programs {
			all[programID{library, name}] = r
		}
	}
	return all, nil
}

// librariesByPrograms finds a library by the names of all of its programs.
func librariesByPrograms() (map[string]string, error) {
	libraries := map[string]string{}
	for _, library := range all.Libraries() {
		spec, err := library.Load()
		if err != nil {
			return nil, fmt.Errorf("the programs of %s: %w", library.Name, err)
		}
		var names []string
		for name := range spec.Programs {
			names = append(names, kernelName(name))
		}
		libraries[joined(names)] = string(library.Name)
	}
	return libraries, nil
}

func joined(names []string) string {
	slices.Sort(names)
	return strings.Join(names, " ")
}

// describeProgram asks the kernel for a program's name and type (uprobes are of the
// type of kprobes), and for the map of offsets that it uses, 0 if there is none.
func describeProgram(id uint32) (name string, kind ebpf.ProgramType, offsets ebpf.MapID, err error) {
	fail := func(err error) (string, ebpf.ProgramType, ebpf.MapID, error) {
		return "", 0, 0, fmt.Errorf("BPF program %d: %w", id, err)
	}
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return fail(err)
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		return fail(err)
	}
	maps, _ := info.MapIDs()
	for _, m := range maps {
		name, err := mapName(m)
		if err != nil {
			return fail(err)
		}
		if name == offsetsMap {
			offsets = m
		}
	}
	return strings.TrimSpace(info.Name), info.Type, offsets, nil
}

func mapName(id ebpf.MapID) (string, error) {
	m, err := ebpf.NewMapFromID(id)
	if err != nil {
		return "", err
	}
	defer m.Close()
	info, err := m.Info()
	if err != nil {
		return "", err
	}
	return info.Name, nil
}
