/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What happened to the operations that reached a probe. At any time
 *
 *	OPERATIONS = SUBMITTED + NOT_SAMPLED + DISCARDED + the LOST_ ones + those in flight
 *
 * where user space adds LOST_UNFINISHED for what it sweeps. */
#pragma once

#include "types.h"

enum counter {
	COUNTER_OPERATIONS,        /* an operation of a traced process began */
	COUNTER_SUBMITTED,         /* its record went into the ring buffer */
	COUNTER_NOT_SAMPLED,       /* the caller's context says: not sampled */
	COUNTER_DISCARDED,         /* turned out to be none, or to be counted as another */
	COUNTER_LOST_RING_FULL,    /* no room for its record */
	COUNTER_LOST_MAP_FULL,     /* no room to keep it while it runs */
	COUNTER_LOST_UNREADABLE,   /* memory that identifies it could not be read */
	COUNTER_LOST_UNSUPPORTED,  /* of a kind that is not traced yet */
	COUNTER_LOST_UNFINISHED,   /* another one began in its place: its end was not seen */
	COUNTER_PARTIAL_UNREADABLE,/* a span lacks attributes: memory was not resident */
	COUNTER_PARTIAL_HEADERS,   /* a span's headers were too many to be searched */
	COUNTER_EVENTS_LOST,       /* exec, exit and listen events that found no room */
	COUNTER_HITS,              /* times a program ran for a traced process */
	COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, enum counter);
	__type(value, __u64);
} counters SEC(".maps");

/* Uprobe programs can be preempted by one another on the same CPU, so even a
 * per-CPU slot is added to atomically. */
static __always_inline void count(enum counter which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* An operation that was lost as it began. */
static __always_inline void lose(enum counter why)
{
	count(COUNTER_OPERATIONS);
	count(why);
}
