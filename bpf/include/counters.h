/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The ends of the operations that reached a probe. At any time OPERATIONS is the sum of SUBMITTED,
 * NOT_SAMPLED, SELF_TRACED, DISCARDED, the LOST_ ones, and those in flight. A loss is counted here
 * or in the entry of its process (losses.h).
 *
 * User space adds LOST_UNFINISHED, or NOT_SAMPLED, for the operations that it sweeps. */
#pragma once

#include "types.h"

enum counter {
	COUNTER_OPERATIONS,  /* an operation of a traced process began */
	COUNTER_SUBMITTED,   /* the record of its span went into the ring buffer */
	COUNTER_NOT_SAMPLED, /* the caller's context says: not sampled */
	COUNTER_SELF_TRACED, /* the program itself has a span for it, and names its parent */
	COUNTER_DISCARDED,   /* it was none, or counts as another operation */
	COUNTER_LOST_RING_BUFFER_FULL,	/* no room for its record */
	COUNTER_LOST_ACTIVE_SPANS_FULL, /* no room to keep it in flight */
	COUNTER_LOST_UNREADABLE,	/* memory that identifies it could not be read */
	COUNTER_LOST_UNSUPPORTED,	/* its kind is not traced yet */
	COUNTER_LOST_UNFINISHED, /* another operation began in its place: its end was not seen */
	COUNTER_DEGRADED_UNREADABLE,	   /* a span lacks attributes: memory was not resident */
	COUNTER_DEGRADED_HEADERS,	   /* a span's headers were too many, or not found */
	COUNTER_DEGRADED_AMBIGUOUS_PARENT, /* a span has no parent: there were several candidates */
	COUNTER_DEGRADED_UNKNOWN_CONTEXT,  /* a span has no parent: its context is of a type that is
					      not known */
	COUNTER_DEGRADED_EVICTED_PARENT,   /* spans may lack a parent: its context found no room */
	COUNTER_DEGRADED_UNKNOWN_CONNECTION, /* a span may lack a parent: its connection is not
						known */
	COUNTER_INJECTED,		     /* a request carries the context of its span */
	COUNTER_NOT_INJECTED, /* a request does not: no room, or its place was not found */
	COUNTER_TRACESTATES_NOT_INJECTED, /* a request carries the context without the tracestate */
	COUNTER_EVENTS_LOST,		  /* exec, exit and listen events that found no room */
	COUNTER_PROBE_HITS,		  /* runs of a program for a traced process */
	COUNTERS,

	FIRST_LOSS = COUNTER_LOST_RING_BUFFER_FULL,
	LAST_LOSS = COUNTER_LOST_UNFINISHED,
};

/* A single entry holds all counters, so that they share cache lines. */
struct counts {
	__u64 n[COUNTERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counters SEC(".maps");

/* Adds one to a counter. Uprobe programs preempt one another on the same CPU, so even the addition
 * to a per-CPU slot is atomic. */
static __always_inline void count(const enum counter which)
{
	__u32 only = 0;
	struct counts *counts = bpf_map_lookup_elem(&counters, &only);

	if (counts)
		__sync_fetch_and_add(&counts->n[which], 1);
}
