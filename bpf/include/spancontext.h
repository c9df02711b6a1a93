/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The contexts of spans, where those look for them that may become their children: by
 * what a span is known by, which is a context.Context, a goroutine, or a request on
 * a connection.
 *
 * What is in here are hints: a place can be taken by another, the one that has been there longest
 * first, so nothing is ever full and nothing must be removed. A hash would cost each
 * request four calls of the kernel's; a place in here costs a line of the processor's
 * cache. Who finds an entry checks that it is still what it was made for. */
#pragma once

#include "types.h"
#include "counters.h"
#include "span.h"

#define WAYS 4

/* The low bits of a way's state; the others are those of the span's id, so that
 * an entry is never taken for another that came after it. */
enum way_state {
	WAY_EMPTY,
	WAY_LOCKED, /* being written */
	WAY_ACTIVE, /* the operation goes on */
	WAY_ENDED,  /* it has ended, or was found by the one that was meant */
	WAY_INHERITED, /* of a goroutine that was started by an operation's: extra has that one's id */
	WAY_STATES = 8,
};

struct span_way {
	__u64 state;
	__u64 key;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 extra; /* by kind */
	__u32 time;  /* ms since boot, when it was written */
	__u8 flags;  /* W3C trace flags */
	__u8 reserved[3];
};

struct span_set {
	__u64 tags[WAYS];
	struct span_way ways[WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: a power of two */
	__type(key, __u32);
	__type(value, struct span_set);
} span_contexts SEC(".maps");

/* Set by the loader: the number of sets less one, and two secret words, so that no
 * target can choose where its entries come to lie. */
const volatile __u32 last_set;
const volatile __u64 hash_seed[2];

/* Whether the programs of bpf/inject are loaded, to which requests are handed over.
 * Set by the loader. */
const volatile __u8 injects;

/* What an entry is known by, 128 bits of it: the low ones of tag choose the set. */
struct span_key {
	__u64 tag, key;
};

enum span_key_kind {
	KEY_CONTEXT = 1, /* type and address of a context.Context */
	KEY_GOROUTINE,	 /* its id */
	KEY_REQUEST,	 /* connection, and stream on it */
	KEY_MESSAGE,	 /* address of what a client's transport makes of a request */
	KEY_WRITER,	 /* address of the bufio.Writer of a client's connection */
	KEY_FRAME,	 /* address of an HTTP/2 framer, and stream */
};

/* The finaliser of MurmurHash3. */
static __always_inline __u64 mixed(__u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static __always_inline void add_to_key(struct span_key *key, __u64 word)
{
	key->tag = mixed(key->tag ^ word);
	key->key = mixed(key->key + word) ^ key->tag;
}

static __always_inline struct span_key new_key(enum span_key_kind kind)
{
	struct span_key key = { hash_seed[0] ^ kind, hash_seed[1] };

	return key;
}

/* A key of something inside a process. */
static __always_inline struct span_key key_in(__u32 tgid, __u32 generation, enum span_key_kind kind, __u64 a, __u64 b)
{
	struct span_key key = new_key(kind);

	add_to_key(&key, (__u64)generation << 32 | tgid);
	add_to_key(&key, a);
	add_to_key(&key, b);
	return key;
}

static __always_inline struct span_set *set_of(const struct span_key *key)
{
	__u32 index = key->tag & last_set;

	return bpf_map_lookup_elem(&span_contexts, &index);
}

static __always_inline __u64 way_state(const __u8 *span_id, enum way_state state)
{
	return (*(const __u64 *)span_id & ~(__u64)(WAY_STATES - 1)) | state;
}

static __always_inline enum way_state state_of(__u64 word)
{
	return word & (WAY_STATES - 1);
}

/* Finds the entry of a key. What it holds may be overwritten at any time: read_way. */
static __always_inline struct span_way *find_way(const struct span_key *key)
{
	struct span_set *set = set_of(key);

	if (!set)
		return NULL;
	for (__u32 i = 0; i < WAYS; i++) {
		if (set->tags[i] == key->tag && set->ways[i].key == key->key)
			return &set->ways[i];
	}
	return NULL;
}

/* Takes a copy of an entry, if it is still the key's and nobody is writing it.
 * Returns its state, WAY_EMPTY if not. */
static __always_inline enum way_state read_way(struct span_way *way, const struct span_key *key, struct span_way *copy)
{
	__u64 before = *(volatile __u64 *)&way->state;

	*copy = *way;
	/* The addition of nothing is a barrier. */
	if (state_of(before) <= WAY_LOCKED || __sync_fetch_and_add(&way->state, 0) != before || copy->key != key->key)
		return WAY_EMPTY;
	copy->state = before;
	return state_of(before);
}

/* Whether the caller is the one to bring the entry from the state that it was copied
 * in to another. */
static __always_inline bool move_way(struct span_way *way, __u64 from, enum way_state to)
{
	__u64 next = (from & ~(__u64)(WAY_STATES - 1)) | to;

	return __sync_val_compare_and_swap(&way->state, from, next) == from;
}

/* The way for a key that is written: its own, else a free one, else the one that has
 * been there longest, of those whose operation has ended if there are any. */
static __always_inline struct span_way *choose_way(struct span_set *set, const struct span_key *key, __u32 now, __u32 *which)
{
	__u32 oldest = 0, longest = 0;

	for (__u32 i = 0; i < WAYS; i++) {
		const struct span_way *way = &set->ways[i];
		enum way_state state = state_of(way->state);
		__u32 age;

		if (set->tags[i] == key->tag && way->key == key->key) {
			*which = i;
			return &set->ways[i];
		}
		age = state == WAY_EMPTY ? ~0U : (now - way->time) >> 1;
		if (state != WAY_EMPTY && state != WAY_ACTIVE)
			age |= 1U << 31;
		if (age >= longest) {
			longest = age;
			oldest = i;
		}
	}
	bounded(oldest);
	if (oldest >= WAYS)
		oldest = 0;
	*which = oldest;
	return &set->ways[oldest];
}

/* Notes a span's context under a key. Several programs may write at the same time, and
 * preempt each other: whoever comes second goes without. */
static __always_inline void note_ids(const struct span_key *key, const __u8 *trace_id, const __u8 *span_id, __u8 flags,
				     __u64 extra, enum way_state state)
{
	__u32 now = bpf_ktime_get_boot_ns() >> 20, i = 0;
	struct span_set *set = set_of(key);
	struct span_way *way;
	__u64 before;

	if (!set)
		return;
	way = choose_way(set, key, now, &i);
	before = way->state;
	if (state_of(before) == WAY_LOCKED || !move_way(way, before, WAY_LOCKED)) {
		count(COUNTER_PARENT_EVICTED);
		return;
	}
	if (state_of(before) == WAY_ACTIVE && way->key != key->key)
		count(COUNTER_PARENT_EVICTED);
	set->tags[i & (WAYS - 1)] = key->tag;
	way->key = key->key;
	__builtin_memcpy(way->trace_id, trace_id, sizeof(way->trace_id));
	__builtin_memcpy(way->span_id, span_id, sizeof(way->span_id));
	way->extra = extra;
	way->time = now;
	way->flags = flags;
	__sync_lock_test_and_set(&way->state, way_state(span_id, state));
}

/* The same of a span whose operation is kept. */
static __always_inline void note_way(const struct span_key *key, const struct span_head *head, __u64 extra,
				     enum way_state state)
{
	note_ids(key, head->trace_id, head->span_id, head->flags, extra, state);
}

/* Puts a span's parent in its place, or nobody: the operation goes on as another one. */
static __always_inline void replace_by_parent(const struct span_key *key, const struct span_head *head)
{
	struct span_way *way = find_way(key);
	bool has_parent = *(const __u64 *)head->parent_id;

	if (!way || !move_way(way, way_state(head->span_id, WAY_ACTIVE), has_parent ? WAY_LOCKED : WAY_EMPTY) || !has_parent)
		return;
	__builtin_memcpy(way->span_id, head->parent_id, sizeof(way->span_id));
	__sync_lock_test_and_set(&way->state, way_state(head->parent_id, WAY_ENDED));
}

/* Says that a span's operation has ended, if the entry is still its own. */
static __always_inline void end_way(const struct span_key *key, const struct span_head *head)
{
	struct span_way *way = find_way(key);

	if (way)
		move_way(way, way_state(head->span_id, WAY_ACTIVE), WAY_ENDED);
}

/* Forgets what a key stood for. */
static __always_inline void forget_way(const struct span_key *key)
{
	struct span_way *way = find_way(key);
	struct span_way copy;

	if (way && read_way(way, key, &copy) != WAY_EMPTY)
		move_way(way, copy.state, WAY_EMPTY);
}
