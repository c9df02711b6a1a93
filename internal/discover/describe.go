package discover

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// describe reads what a matched process is called. Warnings are of what it has
// to go without; an error means that there is nothing to trace.
func (f *Finder) describe(
	pid int, now program, target Target,
) (process model.Process, warnings []error, err error) {
	process = model.Process{PID: pid, StartTicks: now.start, Exe: now.exe}
	if process.ID, err = f.proc.exeID(pid); err != nil {
		return process, nil, err
	}
	if process.ContainerID, err = f.containerID(pid); err != nil {
		warnings = append(warnings, err)
	}
	env, missing := f.environment(pid)
	warnings = append(warnings, missing...)
	var cut []string
	process.Resource, cut, err = parseResource(env.resourceAttributes)
	if err != nil {
		warnings = append(
			warnings,
			fmt.Errorf(
				"%s: OTEL_RESOURCE_ATTRIBUTES is ignored: %w", f.proc.path(pid, "environ"), err,
			),
		)
	}
	name, long := serviceName(target, env, process)
	if process.ServiceName = name; long {
		cut = append(cut, fmt.Sprintf("the service name has more than %d bytes", maxServiceName))
	}
	if cut != nil {
		warnings = append(
			warnings,
			fmt.Errorf(
				"%s: what it says of telemetry is cut: %s",
				f.proc.path(pid, "environ"), strings.Join(cut, ", "),
			),
		)
	}
	delete(process.Resource, serviceNameKey)
	if len(process.Resource) == 0 {
		process.Resource = nil
	}
	// All of it must be of one program: an exec may have come between.
	stat, err := f.proc.stat(pid)
	if err != nil {
		return process, nil, err
	}
	id, err := f.proc.exeID(pid)
	if err != nil {
		return process, nil, err
	}
	if stat.exiting || stat.start != now.start || stat.stack != now.stack ||
		id.Dev != process.ID.Dev || id.Ino != process.ID.Ino {
		return process, nil, errExeced
	}
	return process, warnings, nil
}

// errExeced says that a process began another program, or its exit, while it was
// described. An event or the next scan tells of the new program.
var errExeced = errors.New("runs another program now")

// serviceNameKey is the attribute service.name of the semantic conventions.
const serviceNameKey = "service.name"

// serviceName names a process. cut says that its environment has a longer name.
func serviceName(target Target, env environment, process model.Process) (name string, cut bool) {
	if target.ServiceName != "" {
		return target.ServiceName, false
	}
	if name = cmp.Or(env.serviceName, process.Resource[serviceNameKey]); name != "" {
		name, cut = cutText(name, maxServiceName)
		return strings.Clone(name), cut
	}
	return strings.ToValidUTF8(path.Base(process.Exe), "\uFFFD"), false
}
