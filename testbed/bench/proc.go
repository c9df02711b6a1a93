package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the processor time that a process has used, over all its threads,
// also those that have ended, in nanoseconds: what the kernel spends on its
// behalf is part of it, and so is what a uprobe costs. It is the process's CPU
// clock; the encoding is that of MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED, in
// the kernel's include/linux/posix-timers_types.h.
func cpuTime(pid int) (time.Duration, error) {
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// cpuTimeOfEnded is the processor time of all children that have ended.
func cpuTimeOfEnded() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage); err != nil {
		return 0, fmt.Errorf("the processor time of children that have ended: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// residentMemory is the memory of a process that is in RAM, in bytes.
func residentMemory(pid int) (int64, error) {
	return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// kilobytes finds a line such as "VmRSS:  123 kB", and returns it in bytes.
func kilobytes(path, key string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == key && fields[2] == "kB" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no line %s in kB", path, key)
}

// bpfObject is a BPF map or program that a process holds.
type bpfObject struct {
	program bool // else a map
	id      uint32
	memory  int64  // bytes
	hits    uint64 // of a program, while hits are counted
	time    time.Duration
}

// bpfObjects finds the BPF maps and programs that a process has open, each once.
func bpfObjects(pid int) ([]bpfObject, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		return nil, err
	}
	type identity struct {
		program bool
		id      uint32
	}
	seen := map[identity]bool{}
	var objects []bpfObject
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		object, ok, err := parseFdinfo(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if key := (identity{object.program, object.id}); ok && !seen[key] {
			seen[key] = true
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// parseFdinfo reads what kernel/bpf/syscall.c (bpf_map_show_fdinfo and
// bpf_prog_show_fdinfo) writes. Other files, also links, which name the program
// that they run, have no memlock: ok is false.
func parseFdinfo(text string) (object bpfObject, ok bool, err error) {
	number := func(value string) uint64 {
		n, parseErr := strconv.ParseUint(value, 10, 64)
		if parseErr != nil {
			err = parseErr
		}
		return n
	}
	var sized, named bool
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "map_id":
			object.id, named = uint32(number(value)), true
		case "prog_id":
			object.id, object.program, named = uint32(number(value)), true, true
		case "memlock":
			object.memory, sized = int64(number(value)), true
		case "run_cnt":
			object.hits = number(value)
		case "run_time_ns":
			object.time = time.Duration(number(value))
		}
	}
	return object, sized && named && err == nil, err
}

// processorUse is how the machine's processors have spent their time.
type processorUse struct{ busy, stolen, total time.Duration }

// readProcessorUse reads the first line of /proc/stat; see proc_stat(5).
func readProcessorUse() (processorUse, error) {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return processorUse{}, err
	}
	defer file.Close()
	line, err := bufio.NewReader(file).ReadString('\n')
	if err != nil {
		return processorUse{}, fmt.Errorf("/proc/stat: %w", err)
	}
	return parseProcessorUse(line)
}

func parseProcessorUse(line string) (use processorUse, err error) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture of Go's
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return use, fmt.Errorf("/proc/stat: %q is not understood", line)
	}
	// user nice system idle iowait irq softirq steal; what follows is in user already.
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return use, fmt.Errorf("/proc/stat: %w", err)
		}
		d := time.Duration(n) * tick
		use.total += d
		switch i {
		case 3, 4:
		case 7:
			use.stolen += d
		default:
			use.busy += d
		}
	}
	return use, nil
}
