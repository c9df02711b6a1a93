package discover

import (
	"errors"
	"io/fs"
	"strings"
)

// maxCgroupSize bounds what is read of a list of control groups, in bytes.
const maxCgroupSize = 64 << 10

// containerID reads the id of the container that a process is in from its list
// of control groups; "" where there is none, or it is not certain.
func (f *Finder) containerID(pid int) (string, error) {
	list, cut, err := f.proc.head(pid, "cgroup", maxCgroupSize)
	if errors.Is(err, fs.ErrNotExist) || cut {
		return "", nil // a kernel without control groups, or a list that no engine makes
	}
	return strings.Clone(parseCgroups(string(list))), err // without the list
}

// parseCgroups finds a container's id in the text of /proc/<pid>/cgroup, whose
// lines are "hierarchy:controllers:path"; cgroups(7). Version 1 has a line for
// each hierarchy, of which some may not be the container's; version 2 has one.
// Lines that name different containers name none.
func parseCgroups(list string) string {
	id := ""
	for line := range strings.Lines(list) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		found := containerOfPath(fields[2])
		if found == "" || found == id {
			continue
		}
		if id != "" {
			return ""
		}
		id = found
	}
	return id
}

// containerOfPath finds the innermost container in the path of a control group.
// A container's processes may have made groups of their own below.
func containerOfPath(path string) string {
	segments := strings.Split(path, "/")
	for i := len(segments) - 1; i >= 0; i-- {
		if id := containerOfSegment(segments[i]); id != "" {
			return id
		}
	}
	return ""
}

// containerOfSegment knows the names that engines give to the group of a
// container, in the order of how they are made:
//
//	<id>                     cgroupfs: Docker, containerd, Kubernetes, Podman
//	docker-<id>.scope        systemd: also cri-containerd-, crio-, libpod-, …
//	<slice>:<prefix>:<id>    systemd's name in a group of cgroupfs: containerd
//	<task>-<number>          Amazon ECS: 32 digits and a decimal number
//
// where <id> has 64 hexadecimal digits. conmon watches a container from outside,
// in a group that has its id too.
func containerOfSegment(segment string) string {
	const digits, digitsECS = 64, 32
	name := strings.TrimSuffix(segment, ".scope")
	if len(name) == digits && hexadecimal(name) {
		return name
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 && len(name)-i-1 == digits &&
		hexadecimal(name[i+1:]) {
		return name[i+1:]
	}
	if task, number, ok := strings.Cut(
		name, "-",
	); ok && len(task) == digitsECS && hexadecimal(task) &&
		decimal(number) {
		return name
	}
	if name == segment || len(name) <= digits {
		return ""
	}
	engine, id := name[:len(name)-digits], name[len(name)-digits:]
	if !strings.HasSuffix(engine, "-") || strings.Contains(engine, "conmon") || !hexadecimal(id) {
		return ""
	}
	return id
}

func hexadecimal(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func decimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
