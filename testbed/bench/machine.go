package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// describeMachine says what the figures depend on, and nothing that names the machine.
func describeMachine(goVersion string) (report.Machine, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return report.Machine{}, fmt.Errorf("uname: %w", err)
	}
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return report.Machine{}, err
	}
	possible, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		return report.Machine{}, err
	}
	m := report.Machine{
		Kernel: unix.ByteSliceToString(name.Release[:]),
		Arch:   runtime.GOARCH,
		CPUs:   runtime.NumCPU(),
		Go:     goVersion,
	}
	m.CPU, m.Virtualization = parseCPU(string(cpuinfo))
	if m.Virtualization != "" {
		m.Virtualization += hypervisor()
	}
	if m.PossibleCPUs, err = countCPUs(strings.TrimSpace(string(possible))); err != nil {
		return m, err
	}
	m.Memory, err = kilobytes("/proc/meminfo", "MemTotal:")
	return m, err
}

// parseCPU finds the model in /proc/cpuinfo, and whether there is a hypervisor
// (X86_FEATURE_HYPERVISOR).
func parseCPU(cpuinfo string) (model, virtualization string) {
	model = "unknown model"
	for line := range strings.Lines(cpuinfo) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "flags":
			for flag := range strings.FieldsSeq(value) {
				if flag == "hypervisor" {
					virtualization = "virtual machine"
				}
			}
		}
	}
	return model, virtualization
}

// hypervisor names what runs the virtual machine, as far as the firmware does.
func hypervisor() string {
	vendor, err := os.ReadFile("/sys/class/dmi/id/sys_vendor")
	if err != nil || len(strings.TrimSpace(string(vendor))) == 0 {
		return "" // not every virtual machine has such a table
	}
	return " (" + strings.TrimSpace(string(vendor)) + ")"
}

// countCPUs counts a list such as "0-3,8".
func countCPUs(list string) (int, error) {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return 0, fmt.Errorf("the list of CPUs %q: %w", list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil || to < from {
			return 0, fmt.Errorf("the list of CPUs %q is not understood", list)
		}
		n += to - from + 1
	}
	return n, nil
}
