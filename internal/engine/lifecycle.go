//go:build linux && (amd64 || arm64)

package engine

// executableState is how far an executable has come on its way to probes and back.
type executableState uint8

const (
	executableNew       executableState = iota // nothing is known of it
	executablePreparing                        // it is inspected and attached in the background
	executableAttached                         // its probes are in
	executableDetaching                        // its probes are taken out in the background
	executableFailed                           // it has nothing to trace, or cannot be traced
	executableLeftAlone                        // it contains OpenTelemetry's SDK
	executableReleased                         // it is in no book any more
)

func (s executableState) String() string {
	return [...]string{
		"new", "preparing", "attached", "detaching", "failed", "left alone", "released",
	}[s]
}

// executableEvent is something that happens to an executable.
type executableEvent uint8

const (
	processAppeared   executableEvent = iota // a process that runs it has become a target
	processUpdated                           // another entry selects a process that runs it
	preparedProbes                           // the preparer has put its probes in
	preparedNothing                          // the preparer found nothing to trace, or failed
	preparedSDK                              // the preparer found OpenTelemetry's SDK in it
	processesVanished                        // the preparer came too late to open the file
	useReviewed                              // a process of it has ended, or a while has passed
	writerArrived                            // somebody waits to write to the file
	probesRemoved                            // its probes are out
	tracingStopped                           // the engine is shut down
	executableEvents
)

// executableAction is what the controller has to do after a transition.
type executableAction uint8

const (
	prepareExecutable executableAction = iota // have the preparer inspect and attach the file
	refuseForRoom                             // say that too many executables are attached
	reportFailure                             // say why the executable is not traced
	reportLeftOut                             // say which libraries of it are not traced, if any
	reportLeftAlone                           // say that the executable is left alone
	traceProcesses                            // trace the processes that wait for the probes
	adoptFile                                 // have the kernel trace new processes of the file
	recheckProcesses                          // look again at the processes of the executable
	detachExecutable                          // stop tracing its processes; take the probes out
	returnIndex                               // another executable may have the index
	releaseExecutable                         // delete the executable from the book
)

// circumstances are what a transition depends on besides the state and the event.
type circumstances struct {
	used     bool // a process runs the executable
	lasting  bool // it may stay as it is although no process runs it
	knownSDK bool // it was seen before, and contains OpenTelemetry's SDK
	room     bool // another executable may be attached
	stopping bool // nothing new is prepared
}

// next is the state of an executable after an event, with the actions that lead there, in their
// order. An event that means nothing in a state changes nothing.
func (s executableState) next(
	event executableEvent, now circumstances,
) (executableState, []executableAction) {
	switch event {
	case processAppeared:
		switch s {
		case executableNew:
			return begin(now)
		case executableAttached:
			return s, []executableAction{traceProcesses, adoptFile}
		}
	case processUpdated:
		if s == executableAttached {
			return s, []executableAction{adoptFile}
		}
	case preparedProbes:
		if s == executablePreparing {
			return executableAttached, []executableAction{reportLeftOut, traceProcesses, adoptFile}
		}
	case preparedNothing:
		if s == executablePreparing {
			return executableFailed, []executableAction{returnIndex, reportFailure}
		}
	case preparedSDK:
		if s == executablePreparing {
			return executableLeftAlone, []executableAction{returnIndex, reportLeftAlone}
		}
	case processesVanished:
		if s == executablePreparing {
			return executableNew, []executableAction{returnIndex, recheckProcesses}
		}
	case useReviewed:
		if !now.used && !now.lasting {
			return s.unused()
		}
	case writerArrived, tracingStopped:
		if s == executableAttached {
			return executableDetaching, []executableAction{detachExecutable}
		}
	case probesRemoved:
		if s == executableDetaching {
			return detached(now)
		}
	}
	return s, nil
}

// begin is the transition of an executable of which nothing is known yet.
func begin(now circumstances) (executableState, []executableAction) {
	switch {
	case now.stopping:
		return executableNew, nil
	case now.knownSDK:
		return executableLeftAlone, nil
	case !now.room:
		return executableFailed, []executableAction{refuseForRoom}
	}
	return executablePreparing, []executableAction{prepareExecutable}
}

// unused is the transition of an executable that no process runs, and that may not stay.
func (s executableState) unused() (executableState, []executableAction) {
	switch s {
	case executableNew, executableFailed, executableLeftAlone:
		return executableReleased, []executableAction{releaseExecutable}
	case executableAttached:
		return executableDetaching, []executableAction{detachExecutable}
	}
	return s, nil
}

// detached is the transition of an executable whose probes are out. A process that has started
// meanwhile has the file inspected again: a writer may have changed the file.
func detached(now circumstances) (executableState, []executableAction) {
	if !now.used || now.stopping {
		return executableReleased, []executableAction{returnIndex, releaseExecutable}
	}
	now.room = true // by the index that is returned
	state, actions := begin(now)
	return state, append([]executableAction{returnIndex}, actions...)
}
