// Package vm runs in-kernel tests under other kernels: it packs test binaries and what they need
// into an initramfs, boots a kernel with it in an emulator, and reads from the serial line how
// each test ended. Nothing of this machine can be reached from inside.
package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/suites/vm/job"
)

// Machine is a virtual machine that runs one job and ends.
type Machine struct {
	Kernel      KernelFiles
	Emulator    Emulator
	Initramfs   string // path
	CommandLine string // of the kernel, in addition to what every machine has
	Log         io.Writer
}

const (
	processors = 2
	// memory holds the initramfs twice, as it is read and as it is unpacked.
	memory = "3072M"
)

// Boot runs the machine to its end, and returns what its runs printed. The log gets the lines of
// the machine as they come.
func (m Machine) Boot(ctx context.Context) (*Report, error) {
	// A kernel that oopses ends the machine instead of going on.
	line := "console=" + m.Emulator.console + " quiet panic=-1 oops=panic rdinit=/guest " +
		m.CommandLine
	args := slices.Concat([]string{"-n", "10", m.Emulator.program}, m.Emulator.machine, []string{
		"-accel", "tcg", "-cpu", "max", "-m", memory, "-smp", strconv.Itoa(processors),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", m.Kernel.Image, "-initrd", m.Initramfs, "-append", strings.TrimSpace(line),
	})
	command := exec.CommandContext(ctx, "nice", args...)
	var complaints strings.Builder
	command.Stderr = &complaints
	serial, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	report, err := read(serial, m.Log)
	if wait := command.Wait(); wait != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w\n%s",
			m.Emulator.program, errors.Join(wait, ctx.Err()), &complaints))
	}
	report.Processor = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	return report, err
}

// read takes apart what comes over the serial line.
func read(serial io.Reader, log io.Writer) (*Report, error) {
	report := &Report{Outputs: map[string]string{}, Exits: map[string]string{}}
	current := "" // the run that prints
	for lines := bufio.NewReader(serial); ; {
		line, err := lines.ReadString('\n')
		if line != "" {
			line = strings.TrimRight(line, "\r\n")
			// test2json's mark is of no use to people.
			if _, err := fmt.Fprintln(log, strings.ReplaceAll(line, "\x16", "")); err != nil {
				return report, err
			}
			current = report.hear(line, current)
		}
		if errors.Is(err, io.EOF) {
			return report, nil
		}
		if err != nil {
			return report, fmt.Errorf("the machine's serial line: %w", err)
		}
	}
}

// hear notes one line, and returns the run that prints from then on.
func (r *Report) hear(line, current string) string {
	what, name, detail, ok := heard(line)
	switch {
	case !ok:
		if current != "" {
			r.Outputs[current] += line + "\n"
		}
		return current
	case what == job.Begins:
		return name
	case what == job.Ends:
		r.Exits[name] = detail
	case what == job.Tainted:
		r.Faults = append(r.Faults,
			fmt.Sprintf("the kernel reports a fault of its own after %s: %s", name, detail))
	case what == job.Fails:
		r.Faults = append(r.Faults, "the machine failed: "+detail)
	case what == job.Done:
		r.Done = true
	}
	return ""
}

// heard takes a line apart that job.Say made; ok is false for any other.
func heard(line string) (what, name, detail string, ok bool) {
	rest, ok := strings.CutPrefix(line, job.Mark)
	if !ok {
		return "", "", "", false
	}
	what, rest, _ = strings.Cut(rest, " ")
	name, detail, _ = strings.Cut(rest, " ")
	return what, name, detail, true
}
