package model

// Process is one running process that may be traced.
type Process struct {
	PID int // in the host's pid namespace
	// field 22 of /proc/<pid>/stat: clock ticks since boot; tells a reused pid apart
	StartTicks uint64
	Exe        string // the executable's path as the process's own mount namespace names it
	ID         ExeID  // of that executable
	// ServiceName is what the target entry, OTEL_SERVICE_NAME,
	// OTEL_RESOURCE_ATTRIBUTES or the executable's base name say, in this order.
	ServiceName string
	// ContainerID is the id of the container that it runs in; "" if it runs in
	// none, or that is not certain.
	ContainerID string
	// Resource holds further resource attributes from the process's
	// OTEL_RESOURCE_ATTRIBUTES; service.name is not among them.
	Resource map[string]string
}
