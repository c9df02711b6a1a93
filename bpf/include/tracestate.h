/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The tracestate of requests that are made for a served request. It is the tracestate of the served
 * request, or the threshold at which its trace was sampled. The map exists only where requests can
 * carry a tracestate. */
#pragma once

#include "types.h"
#include "counters.h"
#include "go.h"
#include "span.h"
#include "spancontext.h"

/* The longest tracestate that is kept. */
enum tracestate_limit {
	TRACESTATE_LIMIT = 512, /* bytes that are kept */
};

struct kept_tracestate {
	char text[TRACESTATE_LIMIT];
	__u16 length; /* OWN_STATE: the receiver's own takes its place */
};
#define OWN_STATE 0xffff

#define TRACESTATE_WAYS 8

/* The low values of an id. Span ids are random. */
#define ID_NOTHING 0 /* the place is empty */
#define ID_WRITING 1 /* a program is writing it */

/* Tracestates by the served request. An entry is there until another one takes its place. */
struct tracestate_set {
	__u64 ids[TRACESTATE_WAYS];    /* of the spans of the served requests */
	__u32 times[TRACESTATE_WAYS];  /* of the writes, in ticks of 2^24 ns since boot */
	__u16 owners[TRACESTATE_WAYS]; /* owner_mark of the processes */
	struct tracestate_way {
		__u8 trace_id[16];
		struct kept_tracestate kept;
	} __attribute__((aligned(8))) ways[TRACESTATE_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader sets a power of two */
	__type(key, __u32);
	__type(value, struct tracestate_set);
} tracestates SEC(".maps");

/* The number of sets less one. The loader sets this. */
const volatile __u32 last_tracestate_set;

/* The tracestate of traces that were sampled at the threshold. Empty: all traces are sampled. The
 * loader sets this. */
const volatile struct kept_tracestate own_state;

static __always_inline struct tracestate_set *tracestates_of(__u64 id)
{
	__u32 index = id & last_tracestate_set;

	return bpf_map_lookup_elem(&tracestates, &index);
}

/* The place of an id in a set. TRACESTATE_WAYS: the set has none. */
__noinline int tracestate_place(struct tracestate_set *set, __u64 id)
{
	__u32 i;

	if (!set)
		return TRACESTATE_WAYS;
#pragma clang loop unroll(disable)
	for (i = 0; i < TRACESTATE_WAYS; i++) {
		if (set->ids[i] == id)
			break;
	}
	return i;
}

/* Chooses a place in a set: an empty one, else the oldest of the process with the most places, as
 * in spaneviction.h. TRACESTATE_WAYS: programs are writing to all. */
__noinline int choose_tracestate(struct tracestate_set *set, __u32 now, __u32 owner)
{
	__u64 least = TRACESTATE_WAYS;

	if (!set)
		return TRACESTATE_WAYS;
	least |= ~0ULL << 4;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TRACESTATE_WAYS; i++) {
		__u64 left = TRACESTATE_WAYS + 1 - same_mark(set->owners[i], owner), rank;

		if (set->ids[i] == ID_NOTHING)
			return i;
		if (set->ids[i] == ID_WRITING)
			continue;
#pragma clang loop unroll(disable)
		for (__u32 j = 0; j < TRACESTATE_WAYS; j++)
			left -= same_mark(set->owners[j], set->owners[i]);
		rank = left << 32 | (__u32)(0x7fffffff - (__s32)(now - set->times[i]));
		/* The place is in the low bits. */
		rank = rank << 4 | i;
		if (rank < least)
			least = rank;
	}
	return least & 0xf;
}

/* Keeps a tracestate for a served request. Without a text, it is the receiver's own. Another length
 * than that of the room would have the kernel verify the copy for each length. False: other
 * programs are writing to the same place. */
BPF_SUBPROGRAM bool put_tracestate(const struct span_head *head, const __u8 *text, __u32 length)
{
	__u32 now = bpf_ktime_get_boot_ns() >> 24, owner = owner_mark(), at;
	struct tracestate_set *set;
	struct tracestate_way *way;
	__u64 id, before;

	if (!head)
		return false;
	id = *(const __u64 *)head->span_id;
	set = tracestates_of(id);
	if (!set)
		return false;
	at = choose_tracestate(set, now, owner);
	bounded(at);
	if (at >= TRACESTATE_WAYS)
		return false;
	before = set->ids[at];
	if (before == ID_WRITING ||
	    __sync_val_compare_and_swap(&set->ids[at], before, ID_WRITING) != before)
		return false;
	way = &set->ways[at];
	set->times[at] = now;
	set->owners[at] = owner;
	__builtin_memcpy(way->trace_id, head->trace_id, sizeof(way->trace_id));
	if (text && bpf_probe_read_kernel(way->kept.text, sizeof(way->kept.text), text))
		length = 0;
	way->kept.length = text ? length : OWN_STATE;
	__sync_lock_test_and_set(&set->ids[at], id);
	return true;
}

/* Keeps the receiver's own tracestate for a served request that was sampled at the threshold. */
static __always_inline void keep_own_tracestate(const struct span_head *head)
{
	if (own_state.length && !put_tracestate(head, NULL, 0))
		count(COUNTER_TRACESTATES_NOT_INJECTED);
}

/* Keeps the tracestate that a request came with. The texts of its record begin with this
 * tracestate, and have nothing behind it yet. An incomplete tracestate is not passed on, nor one
 * that a header may not have. */
BPF_SUBPROGRAM int keep_tracestate(const struct span_head *head, const struct text *tracestate,
				   __u8 *texts)
{
	__u32 length;

	if (!head || !tracestate || !texts)
		return 0;
	length = tracestate->length;
	/* If the threshold was applied to the trace, its own entry would have to be replaced. */
	if (length != tracestate->whole || length > TRACESTATE_LIMIT || !parent_based)
		goto not_kept;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TRACESTATE_LIMIT; i++) {
		if (i >= length)
			break;
		if (texts[i] < ' ' || texts[i] > '~')
			goto not_kept;
	}
	/* A header of HTTP/2 must neither begin nor end with a space. */
	if (texts[0] == ' ')
		goto not_kept;
	if (length > 0 && texts[(length - 1) & (TRACESTATE_LIMIT - 1)] == ' ')
		goto not_kept;
	if (put_tracestate(head, texts, length))
		return 0;
not_kept:
	count(COUNTER_TRACESTATES_NOT_INJECTED);
	return 0;
}

/* Finds the tracestate that a request is to carry. It is that of the span's parent, or for a
 * root the receiver's own. `way` has the parent's id as extra. The entry may make room for another
 * at any time. So the writer of a tracestate looks afterwards whether the entry is still
 * the same. */
static __always_inline const struct kept_tracestate *find_tracestate(const struct span_way *way)
{
	struct tracestate_set *set;
	const __u64 *trace_id;
	__u32 i;

	if (!way->extra)
		return own_state.length && way->flags & FLAG_SAMPLED
			       ? (const struct kept_tracestate *)&own_state
			       : NULL;
	set = tracestates_of(way->extra);
	if (!set)
		return NULL;
	i = tracestate_place(set, way->extra);
	bounded(i);
	/* The addition of nothing is a barrier, for the reads before it and behind it. */
	if (i >= TRACESTATE_WAYS || __sync_fetch_and_add(&set->ids[i], 0) != way->extra)
		return NULL;
	trace_id = (const __u64 *)set->ways[i].trace_id;
	if (trace_id[0] != ((const __u64 *)way->trace_id)[0] ||
	    trace_id[1] != ((const __u64 *)way->trace_id)[1])
		return NULL;
	return set->ways[i].kept.length == OWN_STATE ? (const struct kept_tracestate *)&own_state
						     : &set->ways[i].kept;
}
