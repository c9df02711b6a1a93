/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Entries that stay when their operation has ended, for the next operation of the same goroutine. A
 * new entry, and its release, take about a tenth of the cost of a request. Include this header
 * after operation.h. */
#pragma once

#include "operation.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEPT_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} kept SEC(".maps");

/* The limit of kept entries. The loader sets this, and makes room for these entries beside those of
 * the operations in flight. */
const volatile __u64 max_kept;

/* Keeps an entry, if there is room. A process with more entries than its share leaves a part of the
 * room to others, as in operation.h. */
static __always_inline bool keep_entry(OPERATION *operation)
{
	__u32 programs = KEPT_BY_PROGRAMS, swept = KEPT_AND_SWEPT, place;
	__u64 *in, *out, *active, left;

	if (operation->head.keeping == KEEPING_NOT) {
		place = process_place(operation->head.tgid, operation->head.generation);
		in = bpf_map_lookup_elem(&kept, &programs);
		out = bpf_map_lookup_elem(&kept, &swept);
		active = bpf_map_lookup_elem(&in_flight, &place);
		if (!in || !out || !active || *in - *out >= max_kept)
			return false;
		left = max_kept - (*in - *out);
		if (*active > share && *active - share >= TIMES_LEFT * left)
			return false;
		__sync_fetch_and_add(in, 1);
	}
	operation->head.keeping = KEEPING_IDLE;
	return true;
}

/* Releases an entry, kept or not. False: another program has released the entry already. */
static __always_inline bool release_entry(const struct operation_key *key, OPERATION *operation)
{
	__u32 programs = KEPT_BY_PROGRAMS;
	bool was_kept = operation->head.keeping != KEEPING_NOT;
	__u64 *in;

	if (!remove_entry(key))
		return false;
	in = bpf_map_lookup_elem(&kept, &programs);
	if (was_kept && in)
		__sync_fetch_and_add(in, -1);
	return true;
}

/* The operation in flight of the goroutine, on the entry into a function. A kept entry between two
 * operations is none. */
static __always_inline OPERATION *busy_operation(struct pt_regs *ctx, struct operation_key *key,
						 OFFSETS **o)
{
	OPERATION *operation = running_operation(ctx, key, o);

	return operation && operation->head.keeping != KEEPING_IDLE ? operation : NULL;
}

/* Releases the entry of an operation that ends without a span, kept or not, and counts the end. */
static __always_inline void release_kept_and_count(const struct operation_key *key,
						   OPERATION *operation, enum counter why)
{
	enum counter outcome = loss_counter(operation, why);

	if (release_entry(key, operation))
		count_end(key, outcome);
}
