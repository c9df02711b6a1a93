// Package vm runs in-kernel tests under other kernels: it packs test binaries
// and what they need into an initramfs, boots a kernel with it in an emulator,
// and reads from the serial line how each test ended. Nothing of this machine
// can be reached from inside.
package vm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spanprobe/spanprobe/testbed/suites/vm/job"
)

// Machine is a virtual machine that runs one job and ends.
type Machine struct {
	Kernel      KernelFiles
	Arch        string // GOARCH
	Initramfs   string // path
	CommandLine string // of the kernel, in addition to what every machine has
	Log         io.Writer
}

const (
	processors = 2
	// memory holds the initramfs twice, as it is read and as it is unpacked.
	memory = "3072M"
)

// Boot runs the machine to its end, and returns what its runs printed. What the
// machine says goes to the log as it comes.
func (m Machine) Boot(ctx context.Context) (*Report, error) {
	emulator, err := emulatorOf(m.Arch)
	if err != nil {
		return nil, err
	}
	args := slices.Concat(emulator.machine, []string{
		"-accel", "tcg", "-cpu", "max", "-m", memory, "-smp", fmt.Sprint(processors),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", m.Kernel.Image, "-initrd", m.Initramfs,
		// A kernel that oopses ends the machine instead of going on.
		"-append", strings.TrimSpace("console=" + emulator.console + " quiet panic=-1 oops=panic rdinit=/guest " + m.CommandLine),
	})
	command := exec.CommandContext(ctx, "nice", append([]string{"-n", "10", emulator.program}, args...)...)
	var complaints bytes.Buffer
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
		err = errors.Join(err, fmt.Errorf("%s: %w\n%s", emulator.program, errors.Join(wait, ctx.Err()), complaints.String()))
	}
	report.Processor = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	return report, err
}

// Report is what a machine has said.
type Report struct {
	Outputs map[string]string // of each run, by its name
	Exits   map[string]string // how each run ended
	Faults  []string          // of the machine and its kernel
	Done    bool              // it came to the end of its job

	Processor time.Duration // how long the emulator kept processors of this machine busy
}

// read takes apart what comes over the serial line.
func read(serial io.Reader, log io.Writer) (*Report, error) {
	report := &Report{Outputs: map[string]string{}, Exits: map[string]string{}}
	current := "" // the run that prints
	lines := bufio.NewReader(serial)
	for {
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
	what, name, detail, ok := job.Heard(line)
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
		r.Faults = append(r.Faults, fmt.Sprintf("the kernel reports a fault of its own after %s: %s", name, detail))
	case what == job.Fails:
		r.Faults = append(r.Faults, fmt.Sprintf("the machine failed: %s", detail))
	case what == job.Done:
		r.Done = true
	}
	return ""
}
