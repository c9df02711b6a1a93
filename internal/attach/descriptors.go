package attach

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// fewestDescriptors is how many files the collector must be allowed to have open. All
// programs and maps take some 150, and the probes of an executable some 25.
const fewestDescriptors = 256

// raiseDescriptors says how to allow more open files.
const raiseDescriptors = "allow 65536, by LimitNOFILE= in the collector's systemd unit, --ulimit nofile= " +
	"in a container engine, or ulimit -Hn and -Sn in a shell"

// checkDescriptors refuses a limit of open files with which nothing could be loaded.
func checkDescriptors() error {
	limit, err := descriptors()
	if err != nil || limit >= fewestDescriptors {
		return err
	}
	return fmt.Errorf(
		"the collector may have %d files open, and spanprobe needs at least %d: %s", limit,
		fewestDescriptors, raiseDescriptors,
	)
}

// descriptors is how many files this process may have open. Go's runtime has raised the
// soft limit to the hard one (src/syscall/rlimit.go).
func descriptors() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	return limit.Cur, nil
}

// ExplainDescriptors adds to an error that files are missing how many there may be.
func ExplainDescriptors(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE):
		limit, limitErr := descriptors()
		if limitErr != nil {
			return errors.Join(err, limitErr)
		}
		return fmt.Errorf("%w: the collector may have %d files open; %s", err, limit,
			raiseDescriptors)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf("%w: the host has as many files open as it may have; raise the sysctl "+
			"fs.file-max", err)
	}
	return err
}
