package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spanprobe/spanprobe/internal/engine"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// inspector plans binaries as the receiver does.
type inspector struct {
	libraries []probe.Library
	table     plan.Table
	proc      string // "/proc"
}

// report is what is known of a binary.
type report struct {
	PID    int           `json:"pid,omitempty"` // of the process that was asked for
	Binary *model.Binary `json:"binary"`
	Tables tables        `json:"tables"`
	*plan.Plan
}

// tables is how far those of offsets go.
type tables struct {
	Made string `json:"made"` // the day, YYYY-MM-DD
	Go   string `json:"go"`   // the newest version that they know
}

// inspect looks at a file, or at the executable of a process.
func (i *inspector) inspect(name string) (*report, error) {
	path, shown, pid, err := i.locate(name)
	if err != nil {
		return nil, err
	}
	// Asked first: to open a pipe would wait for its other end.
	info, err := os.Stat(path)
	if err != nil {
		return nil, explain(name, pid, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", shown)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, explain(name, pid, err)
	}
	defer file.Close()
	// The file that was opened, which is not always the one that was asked about.
	if info, err = file.Stat(); err != nil {
		return nil, explain(name, pid, err)
	}
	r, err := i.read(file, info.Size(), shown)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	r.PID = pid
	return r, nil
}

// locate turns an argument into a path to open and one to show. A number is a
// pid; a file of such a name is "./123".
func (i *inspector) locate(name string) (path, shown string, pid int, err error) {
	pid, notNumber := strconv.Atoi(name)
	if notNumber != nil {
		return name, name, 0, nil //nolint:nilerr // what is no number is the path of a file
	}
	if pid <= 0 {
		return "", "", 0, fmt.Errorf("%d is not a pid", pid)
	}
	path = filepath.Join(i.proc, name, "exe")
	shown, err = os.Readlink(path)
	if err != nil {
		return "", "", 0, explain(name, pid, err)
	}
	return path, shown, pid, nil
}

// explain says what a user can do about a file that cannot be read.
func explain(name string, pid int, err error) error {
	switch {
	case pid != 0 && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("pid %d: no such process, or one of the kernel's own", pid)
	case pid != 0 && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf(
			"pid %d: %w (needs CAP_SYS_PTRACE or root; who has that is refused by a security module, or by the process itself)",
			pid,
			err,
		)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: no such file", name)
	}
	return err // it names the path
}

func (i *inspector) read(file io.ReaderAt, size int64, path string) (*report, error) {
	binary, planned, err := engine.PlanFile(file, size, path, i.libraries, i.table)
	if err != nil {
		return nil, err
	}
	r := &report{Binary: binary, Plan: planned}
	r.Tables.Go, r.Tables.Made = i.table.Extent(model.ModuleStd)
	return r, nil
}

func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
