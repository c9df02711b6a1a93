package discover

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Limits of what is read of an environment, in bytes.
const (
	maxEnvironSize = 1 << 20  // in all
	maxVariable    = 32 << 10 // of one variable, with its name
)

// environment is what a process's environment says of its telemetry. It is the
// one that its program was started with. Its texts are copies: nothing else of
// the environment stays in memory.
type environment struct {
	serviceName        string // OTEL_SERVICE_NAME
	resourceAttributes string // OTEL_RESOURCE_ATTRIBUTES
}

// Parts of an environment that are not looked at.
var (
	errEnvironCut = fmt.Errorf(
		"longer than %d bytes: what follows was not searched for OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES",
		maxEnvironSize,
	)
	errVariableCut = fmt.Errorf("longer than %d bytes: the rest is ignored", maxVariable)
)

// environment reads the environment of a process. Warnings are of what is missing.
func (f *Finder) environment(pid int) (env environment, warnings []error) {
	path := f.proc.path(pid, "environ")
	type found struct {
		environment
		warnings []error
	}
	its, err := inTime(f.proc.reads, func() (found, error) {
		var its found
		file, err := os.Open(path)
		if err != nil {
			return its, err
		}
		defer file.Close()
		its.warnings = its.read(file)
		return its, nil
	})
	if err != nil {
		return env, []error{explain(path, err, mayTraceAndRead)}
	}
	for _, err := range its.warnings {
		warnings = append(warnings, explain(path, err, mayTraceAndRead))
	}
	return its.environment, warnings
}

// read takes the variables from an environment, of which it holds one at a time.
func (e *environment) read(from io.Reader) (warnings []error) {
	variables := bufio.NewReaderSize(io.LimitReader(from, maxEnvironSize), maxVariable)
	for {
		variable, err := variables.ReadSlice(0)
		if errors.Is(err, bufio.ErrBufferFull) {
			// Without the attribute that the limit goes through.
			whole := bytes.LastIndexByte(variable, ',')
			if !bytes.HasPrefix(variable, []byte(resourceVariable)) || whole < 0 {
				whole = len(variable)
			}
			if name := e.take(variable[:whole]); name != "" {
				warnings = append(warnings, fmt.Errorf("%s: %w", name, errVariableCut))
			}
			variable, err = nil, skipVariable(variables)
		}
		switch {
		case err == nil:
			e.take(bytes.TrimSuffix(variable, []byte{0}))
			continue
		case !errors.Is(err, io.EOF):
			warnings = append(warnings, err)
		case longer(from):
			// Without the variable that the limit goes through.
			warnings = append(warnings, errEnvironCut)
		default:
			e.take(variable) // who writes over an environment may end it without a NUL
		}
		return warnings
	}
}

// skipVariable passes over the rest of a variable.
func skipVariable(variables *bufio.Reader) error {
	for {
		if _, err := variables.ReadSlice(0); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// longer tells whether there is more to read.
func longer(from io.Reader) bool {
	n, _ := io.ReadFull(from, make([]byte, 1)) // what cannot be read is not there
	return n > 0
}

// Variables that say something of telemetry.
const (
	serviceNameVariable = "OTEL_SERVICE_NAME"
	resourceVariable    = "OTEL_RESOURCE_ATTRIBUTES"
)

// take keeps a variable that says something of telemetry, and returns its name then.
// Programs see the first of two variables of one name: getenv(3) finds that first, and
// Go's copyenv clears the others (syscall/env_unix.go). An empty value counts as none.
func (e *environment) take(variable []byte) (kept string) {
	name, value, _ := bytes.Cut(variable, []byte("="))
	switch {
	case string(name) == serviceNameVariable && e.serviceName == "":
		e.serviceName = strings.ToValidUTF8(string(value), "\uFFFD")
		return serviceNameVariable
	case string(name) == resourceVariable && e.resourceAttributes == "":
		e.resourceAttributes = string(value)
		return resourceVariable
	}
	return ""
}
