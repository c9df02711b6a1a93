//go:build linux && (amd64 || arm64)

package engine

import (
	"slices"
	"testing"
)

type actions = []executableAction

// transition is one of those that lead anywhere, or ask for anything.
type transition struct {
	from    executableState
	event   executableEvent
	when    func(circumstances) bool // nil: whatever they are
	to      executableState
	actions actions
}

func (t transition) applies(
	from executableState, event executableEvent, now circumstances,
) bool {
	return t.from == from && t.event == event && (t.when == nil || t.when(now))
}

func inUse(now circumstances) bool    { return now.used && !now.stopping }
func knownSDK(now circumstances) bool { return now.knownSDK && !now.stopping }
func paused(now circumstances) bool   { return now.paused && !now.knownSDK && !now.stopping }
func ready(now circumstances) bool    { return !now.paused && !now.knownSDK && !now.stopping }
func unused(now circumstances) bool   { return !now.used && !now.lasting }
func idle(now circumstances) bool     { return !now.used }

func both(a, b func(circumstances) bool) func(circumstances) bool {
	return func(now circumstances) bool { return a(now) && b(now) }
}

var transitions = []transition{
	{executableNew, processAppeared, ready, executablePreparing, actions{prepareExecutable}},
	{executableNew, processAppeared, paused, executableWaiting, actions{notePause}},
	{executableNew, processAppeared, knownSDK, executableLeftAlone, nil},
	{executableNew, useReviewed, unused, executableReleased, actions{releaseExecutable}},

	{
		executableWaiting, useReviewed, both(inUse, ready),
		executablePreparing,
		actions{prepareExecutable},
	},
	{
		executableWaiting, useReviewed,
		both(inUse, func(now circumstances) bool { return now.knownSDK && !now.paused }),
		executableLeftAlone,
		nil,
	},
	{executableWaiting, useReviewed, unused, executableReleased, actions{releaseExecutable}},

	{
		executablePreparing, preparedProbes, nil,
		executableAttached,
		actions{reportLeftOut, traceProcesses, adoptFile},
	},
	{executablePreparing, preparedNothing, nil, executableFailed, actions{reportFailure}},
	{executablePreparing, preparedSDK, nil, executableLeftAlone, actions{reportLeftAlone}},
	{executablePreparing, refusedForNow, nil, executableWaiting, actions{reportFailure}},
	{executablePreparing, refusedForRoom, nil, executableWaiting, actions{makeRoom}},
	{executablePreparing, processesVanished, nil, executableNew, actions{recheckProcesses}},

	{
		executableAttached, processAppeared, nil,
		executableAttached,
		actions{traceProcesses, adoptFile},
	},
	{executableAttached, processUpdated, nil, executableAttached, actions{adoptFile}},
	{executableAttached, useReviewed, unused, executableDetaching, actions{detachExecutable}},
	{executableAttached, roomWanted, idle, executableDetaching, actions{detachExecutable}},
	{executableAttached, writerArrived, nil, executableDetaching, actions{detachExecutable}},
	{executableAttached, tracingStopped, nil, executableDetaching, actions{detachExecutable}},

	{
		executableDetaching, probesRemoved, both(inUse, ready),
		executablePreparing,
		actions{returnIndex, prepareExecutable},
	},
	{
		executableDetaching, probesRemoved, both(inUse, paused),
		executableWaiting,
		actions{returnIndex, notePause},
	},
	{
		executableDetaching, probesRemoved, both(inUse, knownSDK),
		executableLeftAlone,
		actions{returnIndex},
	},
	{
		executableDetaching, probesRemoved, func(now circumstances) bool { return !inUse(now) },
		executableReleased,
		actions{returnIndex, releaseExecutable},
	},

	{executableFailed, useReviewed, unused, executableReleased, actions{releaseExecutable}},

	{executableLeftAlone, useReviewed, unused, executableReleased, actions{releaseExecutable}},
}

func TestAnExecutableGoesThroughItsStatesAsEventsHaveIt(t *testing.T) {
	shown := make([]bool, len(transitions))
	for from := executableNew; from <= executableReleased; from++ {
		for event := range executableEvents {
			for now := range allCircumstances {
				// An event without a row in the table changes nothing.
				want := transition{to: from}
				for i, row := range transitions {
					if row.applies(from, event, now) {
						want, shown[i] = row, true
					}
				}
				to, by := from.next(event, now)
				if to != want.to || !slices.Equal(by, want.actions) {
					t.Errorf("%s, event %d, %+v: it becomes %s by %v, want %s by %v",
						from, event, now, to, by, want.to, want.actions)
				}
			}
		}
	}
	for i, is := range shown {
		if !is {
			t.Errorf("no circumstances lead to %+v", transitions[i])
		}
	}
}

func allCircumstances(yield func(circumstances) bool) {
	for bits := range 1 << 5 {
		is := func(bit int) bool { return bits&(1<<bit) != 0 }
		if !yield(circumstances{is(0), is(1), is(2), is(3), is(4)}) {
			return
		}
	}
}

// An index that is not returned is lost to all others, and one that is returned early is two
// executables'. The preparer takes it with the probes.
func TestAnExecutableHasAnIndexAsLongAsItMayHaveProbes(t *testing.T) {
	holds := map[executableState]bool{executableAttached: true, executableDetaching: true}
	for from := executableNew; from <= executableReleased; from++ {
		for event := range executableEvents {
			for now := range allCircumstances {
				to, by := from.next(event, now)
				index := 0
				if holds[from] || from == executablePreparing && event == preparedProbes {
					index++
				}
				if slices.Contains(by, returnIndex) {
					index--
				}
				want := map[bool]int{false: 0, true: 1}[holds[to]]
				if index != want {
					t.Errorf("%s, event %d, %+v: it becomes %s, and has %d indexes",
						from, event, now, to, index)
				}
			}
		}
	}
}
