/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The contexts of spans, for operations that may become their children. This header is the
 * programs' side of the store: spanstore.h has the array, spaneviction.h the choice of a place. */
#pragma once

#include "types.h"
#include "counters.h"
#include "span.h"
#include "spaneviction.h"
#include "spanstore.h"

/* The context of a span, and the state of its entry. */
struct span_context {
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 extra;
	__u32 state; /* enum way_state */
	__u8 flags;
	__u8 writer;
	__u8 reserved[2];
};

/* Attempts to find a place, if other programs write to the same set. */
#define ATTEMPTS 4

/* Stores the context of a span under a key. Several programs may write at the same time, and
 * preempt each other. False: there was no place, or another program is writing to the key's
 * entry. */
__noinline int write_span(struct span_key *key, struct span_context *context)
{
	__u32 now = bpf_ktime_get_boot_ns() >> 24, at = WAYS, owner = owner_mark();
	struct span_place place = {};
	struct span_set *set;
	struct span_way *way;
	__u64 mine;

	if (isolated || !key || !context)
		return true;
	set = set_of(key);
	if (!set)
		return false;
	mine = *(__u64 *)context->span_id & ~(__u64)(WAY_STATES - 1);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ATTEMPTS; i++) {
		if (!choose_place(set, key, now, &place))
			choose_among_owners(set, owner, now, &place);
		at = place.at;
		bounded(at);
		if (at < WAYS && state_of(place.before) != WAY_LOCKED &&
		    __sync_val_compare_and_swap(&set->ways[at].state, place.before,
						mine | WAY_LOCKED) == place.before)
			break;
		at = WAYS;
	}
	if (at >= WAYS)
		return false;
	if (place.evicts)
		count(COUNTER_DEGRADED_EVICTED_PARENT);
	way = &set->ways[at];
	set->tags[at] = key->tag;
	way->key = key->key;
	__builtin_memcpy(way->trace_id, context->trace_id, sizeof(way->trace_id));
	__builtin_memcpy(way->span_id, context->span_id, sizeof(way->span_id));
	way->extra = context->extra;
	way->time = now;
	way->flags = context->flags;
	way->writer = context->writer;
	way->owner = owner;
	__sync_lock_test_and_set(&way->state, mine | context->state);
	return true;
}

/* Stores the context of a span with these ids. A context without a place is counted. */
static __always_inline void store_span(struct span_key *key, const __u8 *trace_id,
				       const __u8 *span_id, struct span_context *context)
{
	__builtin_memcpy(context->trace_id, trace_id, sizeof(context->trace_id));
	__builtin_memcpy(context->span_id, span_id, sizeof(context->span_id));
	if (!write_span(key, context))
		count(COUNTER_DEGRADED_EVICTED_PARENT);
}

static __always_inline void store_ids(struct span_key *key, const __u8 *trace_id,
				      const __u8 *span_id, __u8 flags, __u64 extra,
				      enum way_state state)
{
	struct span_context context = { .extra = extra, .state = state, .flags = flags };

	store_span(key, trace_id, span_id, &context);
}

/* Stores an id alone, which nobody waits for. Two programs may store the same id at the same time.
 * The set then has one entry of it, or two. */
__noinline int store_id(struct span_key *key, __u64 id)
{
	struct span_context context = { .state = WAY_ENDED };

	if (!key)
		return 0;
	*(__u64 *)context.span_id = id;
	write_span(key, &context);
	return 0;
}

/* Stores the context of a span whose operation has an entry. */
static __always_inline void store_span_context(struct span_key *key, const struct span_head *head,
					       __u64 extra, enum way_state state)
{
	store_ids(key, head->trace_id, head->span_id, head->flags, extra, state);
}

/* Marks the entry of a span whose operation has ended, if the entry is still its own. */
static __always_inline void end_span(struct span_key *key, const struct span_head *head)
{
	move_span(key, way_state(head->span_id, WAY_ACTIVE), WAY_ENDED);
}

/* Releases the entry of a span, if the entry is still its own. */
static __always_inline void release_ended(struct span_key *key, const struct span_head *head)
{
	move_span(key, way_state(head->span_id, WAY_ACTIVE), WAY_EMPTY);
}

/* Takes the entry of a key, so that no other program does. */
static __always_inline bool take_span(struct span_key *key, struct span_way *taken)
{
	return read_span(key, taken) != WAY_EMPTY && move_span(key, taken->state, WAY_EMPTY);
}

/* Releases the entry of a key. */
static __always_inline void release_span(struct span_key *key)
{
	struct span_way taken = {};

	take_span(key, &taken);
}

/* Puts a span's parent, if it has one, in the span's place: another operation goes on for it. */
static __always_inline void replace_by_parent(struct span_key *key, const struct span_head *head)
{
	struct span_way mine = {};

	if (read_span(key, &mine) != WAY_ACTIVE ||
	    *(__u64 *)mine.span_id != *(const __u64 *)head->span_id)
		return;
	if (*(const __u64 *)head->parent_id)
		store_ids(key, head->trace_id, head->parent_id, head->flags, mine.extra, WAY_ENDED);
	else
		move_span(key, mine.state, WAY_EMPTY);
}
