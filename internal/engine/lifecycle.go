//go:build linux && (amd64 || arm64)

package engine

// executableState is how far an executable has come on its way to probes and back.
type executableState uint8

const (
	executableNew       executableState = iota // nothing is known of it
	executableWaiting                          // it is to be prepared, and not yet
	executablePreparing                        // it is inspected and attached in the background
	executableAttached                         // its probes are in
	executableDetaching                        // its probes are taken out in the background
	executableFailed                           // the file is such that there is nothing to trace
	executableLeftAlone                        // it contains OpenTelemetry's SDK
	executableReleased                         // it is in no book any more
)

func (s executableState) String() string {
	return [...]string{
		"new", "waiting", "preparing", "attached", "detaching", "failed", "left alone", "released",
	}[s]
}

// executableEvent is something that happens to an executable.
type executableEvent uint8

const (
	processAppeared   executableEvent = iota // a process that runs it has become a target
	processUpdated                           // another entry selects a process that runs it
	preparedProbes                           // the preparer has put its probes in
	preparedNothing                          // the preparer found that there is nothing to trace
	preparedSDK                              // the preparer found OpenTelemetry's SDK in it
	refusedForNow                            // the preparer failed, and may not the next time
	refusedForRoom                           // as many are attached as can be
	processesVanished                        // the preparer came too late to open the file
	useReviewed                              // a process of it has ended, or a while has passed
	roomWanted                               // another executable is to have its place
	writerArrived                            // somebody waits to write to the file
	probesRemoved                            // its probes are out
	tracingStopped                           // the engine is shut down
	executableEvents
)

// executableAction is what the controller has to do after a transition.
type executableAction uint8

const (
	prepareExecutable executableAction = iota // have the preparer inspect and attach the file
	notePause                                 // count that it is not prepared at once
	makeRoom                                  // have one detached that no process runs
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
	paused   bool // its file was prepared moments ago
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
			return executableFailed, []executableAction{reportFailure}
		}
	case preparedSDK:
		if s == executablePreparing {
			return executableLeftAlone, []executableAction{reportLeftAlone}
		}
	case refusedForNow:
		if s == executablePreparing {
			return executableWaiting, []executableAction{reportFailure}
		}
	case refusedForRoom:
		if s == executablePreparing {
			return executableWaiting, []executableAction{makeRoom}
		}
	case processesVanished:
		if s == executablePreparing {
			return executableNew, []executableAction{recheckProcesses}
		}
	case useReviewed:
		switch {
		case s == executableWaiting && now.used && !now.paused && !now.stopping:
			return begin(now)
		case !now.used && !now.lasting:
			return s.unused()
		}
	case roomWanted:
		if s == executableAttached && !now.used {
			return executableDetaching, []executableAction{detachExecutable}
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

// begin is the transition of an executable that is to be prepared.
func begin(now circumstances) (executableState, []executableAction) {
	switch {
	case now.stopping:
		return executableNew, nil
	case now.knownSDK:
		return executableLeftAlone, nil
	case now.paused:
		return executableWaiting, []executableAction{notePause}
	}
	return executablePreparing, []executableAction{prepareExecutable}
}

// unused is the transition of an executable that no process runs, and that may not stay.
func (s executableState) unused() (executableState, []executableAction) {
	switch s {
	case executableNew, executableWaiting, executableFailed, executableLeftAlone:
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
	state, actions := begin(now)
	return state, append([]executableAction{returnIndex}, actions...)
}
