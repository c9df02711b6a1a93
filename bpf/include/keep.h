/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Entries that stay when their operation has ended, for the next one of the same
 * goroutine: making an entry and removing it takes about a tenth of what all else
 * about a request does. To be included after operation.h. */
#pragma once

#include "operation.h"

/* How many entries are kept: what the programs counted, less what user space took
 * out as it swept. Each only ever changes its own. */
enum {
	KEPT_BY_PROGRAMS,
	KEPT_AND_SWEPT,
	KEPT_COUNTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEPT_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} kept SEC(".maps");

/* How many may be kept: set by the loader, which makes room for them beside the
 * operations that are in flight. */
const volatile __u64 max_kept;

/* Has an entry stay, if there is room. */
static __always_inline bool keep(OPERATION *operation)
{
	__u32 programs = KEPT_BY_PROGRAMS, swept = KEPT_AND_SWEPT;
	__u64 *in, *out;

	if (operation->head.keeping == KEEPING_NOT) {
		in = bpf_map_lookup_elem(&kept, &programs);
		out = bpf_map_lookup_elem(&kept, &swept);
		if (!in || !out || *in - *out >= max_kept)
			return false;
		__sync_fetch_and_add(in, 1);
	}
	operation->head.keeping = KEEPING_IDLE;
	return true;
}

/* Removes an entry, kept or not. True: nobody else has. */
static __always_inline bool take_out(const struct operation_key *key, OPERATION *operation)
{
	__u32 programs = KEPT_BY_PROGRAMS;
	bool was_kept = operation->head.keeping != KEEPING_NOT;
	__u64 *in;

	if (bpf_map_delete_elem(&operations, key))
		return false;
	in = bpf_map_lookup_elem(&kept, &programs);
	if (was_kept && in)
		__sync_fetch_and_add(in, -1);
	return true;
}

/* The operation that the goroutine is busy with, on the entry into a function. */
static __always_inline OPERATION *busy(struct pt_regs *ctx, struct operation_key *key, OFFSETS **o)
{
	OPERATION *operation = running(ctx, key, o);

	return operation && operation->head.keeping != KEEPING_IDLE ? operation : NULL;
}

/* Ends an operation that goes no further. */
static __always_inline void drop(const struct operation_key *key, OPERATION *operation, enum counter why)
{
	enum counter as = lost(operation, why);

	if (take_out(key, operation))
		count(as);
}
