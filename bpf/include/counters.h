/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What happened to the operations that reached a probe. At any time
 *
 *	OPERATIONS = SUBMITTED + NOT_SAMPLED + SELF_TRACED + DISCARDED + the LOST_ ones + those in flight
 *
 * where user space adds LOST_UNFINISHED, or NOT_SAMPLED, for what it sweeps. */
#pragma once

#include "types.h"

enum counter {
	COUNTER_OPERATIONS,        /* an operation of a traced process began */
	COUNTER_SUBMITTED,         /* its record went into the ring buffer */
	COUNTER_NOT_SAMPLED,       /* the caller's context says: not sampled */
	COUNTER_SELF_TRACED,      /* the program itself has a span for it: it says whose child it is */
	COUNTER_DISCARDED,         /* turned out to be none, or to be counted as another */
	COUNTER_LOST_RING_FULL,    /* no room for its record */
	COUNTER_LOST_MAP_FULL,     /* no room to keep it while it runs */
	COUNTER_LOST_UNREADABLE,   /* memory that identifies it could not be read */
	COUNTER_LOST_UNSUPPORTED,  /* of a kind that is not traced yet */
	COUNTER_LOST_UNFINISHED,   /* another one began in its place: its end was not seen */
	COUNTER_PARTIAL_UNREADABLE,/* a span lacks attributes: memory was not resident */
	COUNTER_PARTIAL_HEADERS,   /* a span's headers were too many to be searched, or not found */
	COUNTER_PARENT_AMBIGUOUS,  /* a span has no parent: it could not be told which */
	COUNTER_PARENT_EVICTED,	   /* spans may lack a parent: there was no room to note theirs */
	COUNTER_CONNECTION_UNKNOWN,/* a span may lack a parent: its connection could not be told */
	COUNTER_INJECTED,	   /* a request carries the context of its span */
	COUNTER_NOT_INJECTED,	   /* there was no room for it, or its place was not found */
	COUNTER_STATE_NOT_INJECTED,/* it carries that, but not the tracestate of its trace */
	COUNTER_EVENTS_LOST,       /* exec, exit and listen events that found no room */
	COUNTER_HITS,              /* times a program ran for a traced process */
	COUNTERS,
};

/* One entry holds them all, so that they share cache lines. */
struct counts {
	__u64 n[COUNTERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counters SEC(".maps");

/* Uprobe programs can be preempted by one another on the same CPU, so even a
 * per-CPU slot is added to atomically. */
static __always_inline void count(const enum counter which)
{
	__u32 only = 0;
	struct counts *counts = bpf_map_lookup_elem(&counters, &only);

	if (counts)
		__sync_fetch_and_add(&counts->n[which], 1);
}

/* An operation that was lost as it began. */
static __always_inline void lose(enum counter why)
{
	count(COUNTER_OPERATIONS);
	count(why);
}
