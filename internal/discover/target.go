package discover

// Target selects processes. All of its non-zero keys must match.
type Target struct {
	// glob on the executable's path in the process's own mount namespace; ** crosses /
	Exe         string
	Port        int    // a TCP port it listens on in its own network namespace
	PID         int    // in the host's pid namespace
	ServiceName string // given to what this entry matches; selects nothing
}
