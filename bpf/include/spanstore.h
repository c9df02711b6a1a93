/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The store of span contexts: an array of sets of eight places.
 *
 * A span is found by a key: a context.Context, a goroutine, or a request on a connection, among
 * others. An entry is a hint: another entry can take its place, those of ended operations first,
 * the oldest of them. So no program has to release an entry. A hash map would cost each request
 * four calls of the kernel. A place in this array costs a line of the processor's cache. A program
 * that finds an entry checks that the entry still belongs to the object that it was made for. */
#pragma once

#include "types.h"
#include "arch.h"
#include "process.h"

#define WAYS 8 /* whose tags fill one line of the cache */

/* The low bits of a way's state. The other bits are those of the span's id, so that a later entry
 * is never taken for this one. */
enum way_state {
	WAY_EMPTY,
	WAY_LOCKED,    /* a program is writing it */
	WAY_ACTIVE,    /* its operation is in flight */
	WAY_ENDED,     /* its operation has ended, or the right child has found it */
	WAY_ANNOUNCED, /* a request that was sent, and whose server has not found it yet */
	WAY_INHERITED, /* a goroutine that an operation's goroutine started, whose id is in extra */
	WAY_STATES = 8,
};

struct span_way {
	__u64 state;
	__u64 key;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 extra; /* its meaning depends on the kind of key */
	__u32 time;  /* of the write, in ticks of 2^24 ns since boot, which wrap after two years */
	__u8 flags;  /* W3C trace flags */
	__u8 writer; /* enum frame_writer */
	__u16 owner; /* owner_mark of the process that wrote it */
};

struct span_set {
	__u64 tags[WAYS];
	struct span_way ways[WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);		   /* the loader sets a power of two */
	__uint(map_flags, BPF_F_MMAPABLE); /* user space ends the entries of ended processes */
	__type(key, __u32);
	__type(value, struct span_set);
} span_contexts SEC(".maps");

/* The number of sets less one. The loader sets this. */
const volatile __u32 last_set;

/* Whether operations know nothing of each other: each begins a trace unless a header says
 * otherwise. The loader sets this, to measure the cost of finding parents. */
const volatile __u8 isolated;

/* The key of an entry, 128 bits of it. The low bits of the tag choose the set. */
struct span_key {
	__u64 tag, key;
};

enum span_key_kind {
	KEY_CONTEXT = 1, /* type and address of a context.Context */
	KEY_GOROUTINE,	 /* id of a goroutine */
	KEY_REQUEST,	 /* connection, and stream on the connection */
	KEY_CALLER,	 /* id of a goroutine that has made a call */
	/* The next three have the id of the span's parent as extra. */
	KEY_MESSAGE, /* address of a client transport's own form of a request */
	KEY_WRITER,  /* addresses of a bufio.Writer, and of the client's connection that has it */
	KEY_FRAME,   /* address of an HTTP/2 framer, and stream */
};

static __always_inline void add_to_key(struct span_key *key, __u64 word)
{
	key->tag = mixed(key->tag ^ word);
	key->key = mixed(key->key + word) + key->tag;
}

static __always_inline struct span_key new_key(enum span_key_kind kind)
{
	struct span_key key = { hash_seed[0] ^ kind, hash_seed[1] };

	return key;
}

/* The key of an object inside a process. */
static __always_inline struct span_key key_in(__u32 tgid, __u32 generation, enum span_key_kind kind,
					      __u64 a, __u64 b)
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

/* The place of a key's entry in its set. WAYS: there is none. */
static __always_inline __u32 place_of(const struct span_set *set, const struct span_key *key)
{
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < WAYS; i++) {
		if (set->tags[i] == key->tag && set->ways[i].key == key->key)
			break;
	}
	return i;
}

/* The state of a way, which a program reads before the rest. A place that changes hands meanwhile
 * has another state afterwards. */
static __always_inline __u64 load_state(struct span_set *set, __u32 at)
{
	__u64 state = *(const volatile __u64 *)&set->ways[at].state;

	reads_follow(&set->ways[at].state);
	return state;
}

/* Copies the entry of a key. Returns its state, or WAY_EMPTY if there is none or a program is
 * writing it. The kernel verifies a function that is not static once, and not for each of its
 * callers. */
__noinline int read_span(struct span_key *key, struct span_way *copy)
{
	struct span_set *set;
	__u64 before;
	__u32 i;

	if (isolated || !key || !copy)
		return WAY_EMPTY;
	set = set_of(key);
	if (!set)
		return WAY_EMPTY;
	i = place_of(set, key);
	bounded(i);
	if (i >= WAYS)
		return WAY_EMPTY;
	before = load_state(set, i);
	*copy = set->ways[i];
	/* The addition of nothing is a barrier: a processor that reads ahead may have read older
	 * contents. */
	if (state_of(before) <= WAY_LOCKED ||
	    __sync_fetch_and_add(&set->ways[i].state, 0) != before || copy->key != key->key ||
	    state_of(*(__u64 *)copy->span_id ^ before) != (*(__u64 *)copy->span_id ^ before))
		return WAY_EMPTY;
	copy->state = before;
	return state_of(before);
}

/* The id of a span alone. 0: the key has no entry. */
__noinline __u64 read_id(struct span_key *key)
{
	struct span_set *set;
	__u64 before, id;
	__u32 i;

	if (isolated || !key)
		return 0;
	set = set_of(key);
	if (!set)
		return 0;
	i = place_of(set, key);
	bounded(i);
	if (i >= WAYS)
		return 0;
	before = load_state(set, i);
	id = *(__u64 *)set->ways[i].span_id;
	if (state_of(before) <= WAY_LOCKED || set->ways[i].key != key->key ||
	    __sync_fetch_and_add(&set->ways[i].state, 0) != before ||
	    state_of(id ^ before) != (id ^ before))
		return 0;
	return id;
}

/* Moves the entry of a key from one state, a whole word, to another. False: another program did. */
__noinline int move_span(struct span_key *key, __u64 from, __u32 to)
{
	__u64 next = (from & ~(__u64)(WAY_STATES - 1)) | to;
	struct span_set *set;
	__u32 i;

	if (isolated || !key)
		return false;
	set = set_of(key);
	if (!set)
		return false;
	i = place_of(set, key);
	bounded(i);
	return i < WAYS && __sync_val_compare_and_swap(&set->ways[i].state, from, next) == from;
}
