/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The contexts of spans, where those look for them that may become their children: by
 * what a span is known by, which is a context.Context, a goroutine, or a request on
 * a connection, among others.
 *
 * What is in here are hints: a place can be taken by another, those of operations that have ended
 * first, so nothing must be removed. A hash would cost each
 * request four calls of the kernel's; a place in here costs a line of the processor's
 * cache. Who finds an entry checks that it is still what it was made for. */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"
#include "span.h"

#define WAYS 8 /* whose tags are in one line of the cache */

/* The low bits of a way's state; the others are those of the span's id, so that
 * an entry is never taken for another that came after it. */
enum way_state {
	WAY_EMPTY,
	WAY_LOCKED, /* being written */
	WAY_ACTIVE, /* the operation goes on */
	WAY_ENDED,  /* it has ended, or was found by the one that was meant */
	WAY_ANNOUNCED, /* a request that was sent, and not found yet */
	WAY_INHERITED, /* of a goroutine that was started by an operation's: extra has that one's id */
	WAY_STATES = 8,
};

struct span_way {
	__u64 state;
	__u64 key;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 extra; /* by kind */
	__u32 time;  /* when it was written, in ticks of 2^24 ns since boot: they are counted anew after two years */
	__u8 flags;  /* W3C trace flags */
	__u8 writer; /* enum frame_writer */
	__u8 reserved[2];
};

struct span_set {
	__u64 tags[WAYS];
	struct span_way ways[WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: a power of two */
	__uint(map_flags, BPF_F_MMAPABLE); /* user space ends what ended programs have left */
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

/* Whether operations know nothing of each other, so that each begins a trace unless a header
 * says otherwise. Set by the loader, to measure what that they do costs. */
const volatile __u8 isolated;

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
	/* The last three have the id of the span's parent as extra. */
};

/* What a framer of KEY_FRAME writes to. */
enum frame_writer {
	WRITER_BUFIO, /* a bufio.Writer */
	WRITER_GRPC,  /* gRPC's own bufWriter */
};

static __always_inline __u64 mixed(__u64 x)
{
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 32;
}

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

/* A span's context, and what it is noted with. */
struct span_note {
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 extra;
	__u32 state; /* enum way_state */
	__u8 flags;
	__u8 writer;
	__u8 reserved[2];
};

/* The place of a key's entry in its set; WAYS: it has none. */
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

/* A way's state, which is looked at before what it is the state of: a place that changes hands
 * meanwhile does not have it any more. */
static __always_inline __u64 look_at(struct span_set *set, __u32 at)
{
	__u64 state = *(const volatile __u64 *)&set->ways[at].state;

	reads_follow(&set->ways[at].state);
	return state;
}

/* Takes a copy of what a key stands for. Returns its state, WAY_EMPTY if it stands for
 * nothing, or is just being written. The functions that are not static are verified once,
 * not for each who calls them. */
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
	before = look_at(set, i);
	*copy = set->ways[i];
	/* The addition of nothing is a barrier. A processor that reads ahead may have seen what was there before. */
	if (state_of(before) <= WAY_LOCKED || __sync_fetch_and_add(&set->ways[i].state, 0) != before || copy->key != key->key ||
	    state_of(*(__u64 *)copy->span_id ^ before) != (*(__u64 *)copy->span_id ^ before))
		return WAY_EMPTY;
	copy->state = before;
	return state_of(before);
}

/* The span's id alone; 0: the key stands for nothing. */
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
	before = look_at(set, i);
	id = *(__u64 *)set->ways[i].span_id;
	if (state_of(before) <= WAY_LOCKED || set->ways[i].key != key->key || __sync_fetch_and_add(&set->ways[i].state, 0) != before ||
	    state_of(id ^ before) != (id ^ before))
		return 0;
	return id;
}

/* Whether the caller is the one to bring a key's entry from one state, in a whole word,
 * to another. */
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

/* What it costs that a way's entry makes room. */
enum price {
	PRICE_NOTHING, /* nobody waits for it */
	PRICE_LITTLE,  /* it is of a goroutine that was started long ago, and may have ended */
	PRICE_DOUBT,   /* nobody may wait for it any more: it is counted, as are the next */
	PRICE_STARTED, /* it is of a goroutine that was started a moment ago */
	PRICE_PARENT,  /* somebody is waiting for it */
	PRICE_NEVER,   /* it is being written */
};

/* Ages that nobody says the end of, in ticks: up to a second, an announcement is of a request that is under way, and
 * a goroutine that was started goes on; after ten, nobody is going to take the announcement: most servers
 * that are not traced never do. */
#define UNDER_WAY 60
#define LONG_AGO 600

enum age {
	AGE_YOUNG,
	AGE_OLD,
	AGE_LONG_AGO,
	AGES,
};

/* By age and state. What is looked up does not make the verifier follow a way for each. */
static const __u8 prices[AGES + 1][WAY_STATES] = {
	{ [WAY_LOCKED] = PRICE_NEVER, [WAY_ACTIVE] = PRICE_PARENT, [WAY_ANNOUNCED] = PRICE_PARENT, [WAY_INHERITED] = PRICE_STARTED },
	{ [WAY_LOCKED] = PRICE_NEVER, [WAY_ACTIVE] = PRICE_PARENT, [WAY_ANNOUNCED] = PRICE_DOUBT, [WAY_INHERITED] = PRICE_LITTLE },
	{ [WAY_LOCKED] = PRICE_NEVER, [WAY_ACTIVE] = PRICE_PARENT, [WAY_ANNOUNCED] = PRICE_NOTHING, [WAY_INHERITED] = PRICE_LITTLE },
};

/* The price of a way's entry, which had that state when it was looked at; its age below, less for who is older. */
static __always_inline __u64 price_of(const struct span_way *way, __u64 before, __s32 age)
{
	__u32 old = ((__u32)(UNDER_WAY - age) >> 31) + ((__u32)(LONG_AGO - age) >> 31);

	return (__u64)prices[old & 3][state_of(before)] << 32 | (__u32)(0x7fffffff - age);
}

/* A place to write to. */
struct span_place {
	__u64 before; /* the state that it was chosen for */
	__u32 at;
	__u32 evicts; /* whether an entry that somebody may be waiting for */
};

/* The place for a key that is written: its own, else the one of the least price, else of those the one that has
 * been there longest. Which is looked at first is left to chance. */
__noinline int choose_place(struct span_set *set, struct span_key *key, __u32 now, struct span_place *place)
{
	__u64 least = (__u64)PRICE_NEVER << 32;
	__u32 first, i;

	if (!set || !key || !place)
		return 0;
	first = key->key & (WAYS - 1);
	place->before = 0;
	place->at = first;
	place->evicts = false;
#pragma clang loop unroll(disable)
	for (i = 0; i < WAYS; i++) {
		/* Each way is a line of the cache: most of them are left where they are. */
		if (set->tags[i] != key->tag)
			continue;
		place->before = look_at(set, i);
		if (set->ways[i].key == key->key) {
			place->at = i;
			return 0;
		}
	}
#pragma clang loop unroll(disable)
	for (i = 0; i < WAYS; i++) {
		__u32 at = (first + i) & (WAYS - 1);
		__u64 before = look_at(set, at);
		__u64 price = price_of(&set->ways[at], before, now - set->ways[at].time);

		if (price >= least)
			continue;
		least = price;
		place->before = before;
		place->at = at;
		place->evicts = price >= (__u64)PRICE_DOUBT << 32;
		if (price < (__u64)PRICE_LITTLE << 32)
			break;
	}
	return 0;
}

/* Times that a place is chosen, where others write to the same. */
#define ATTEMPTS 4

/* Notes a span's context under a key. Several programs may write at the same time, and
 * preempt each other. False: there was no place, or another one is writing to the key's. */
__noinline int note_span(struct span_key *key, struct span_note *note)
{
	__u32 now = bpf_ktime_get_boot_ns() >> 24, at = WAYS;
	struct span_place place = {};
	struct span_set *set;
	struct span_way *way;
	__u64 mine;

	if (isolated || !key || !note)
		return true;
	set = set_of(key);
	if (!set)
		return false;
	mine = *(__u64 *)note->span_id & ~(__u64)(WAY_STATES - 1);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ATTEMPTS; i++) {
		choose_place(set, key, now, &place);
		at = place.at;
		bounded(at);
		if (at < WAYS && state_of(place.before) != WAY_LOCKED &&
		    __sync_val_compare_and_swap(&set->ways[at].state, place.before, mine | WAY_LOCKED) == place.before)
			break;
		at = WAYS;
	}
	if (at >= WAYS)
		return false;
	if (place.evicts)
		count(COUNTER_PARENT_EVICTED);
	way = &set->ways[at];
	set->tags[at] = key->tag;
	way->key = key->key;
	__builtin_memcpy(way->trace_id, note->trace_id, sizeof(way->trace_id));
	__builtin_memcpy(way->span_id, note->span_id, sizeof(way->span_id));
	way->extra = note->extra;
	way->time = now;
	way->flags = note->flags;
	way->writer = note->writer;
	__sync_lock_test_and_set(&way->state, mine | note->state);
	return true;
}

static __always_inline void note_as(struct span_key *key, const __u8 *trace_id, const __u8 *span_id, struct span_note *note)
{
	__builtin_memcpy(note->trace_id, trace_id, sizeof(note->trace_id));
	__builtin_memcpy(note->span_id, span_id, sizeof(note->span_id));
	if (!note_span(key, note))
		count(COUNTER_PARENT_EVICTED);
}

static __always_inline void note_ids(struct span_key *key, const __u8 *trace_id, const __u8 *span_id, __u8 flags,
				     __u64 extra, enum way_state state)
{
	struct span_note note = { .extra = extra, .state = state, .flags = flags };

	note_as(key, trace_id, span_id, &note);
}

/* Notes for whom a framer is about to write the headers of a stream. */
static __always_inline void note_frame(struct span_key *key, const __u8 *trace_id, const __u8 *span_id, __u8 flags,
				       __u64 parent, enum frame_writer writer)
{
	struct span_note note = { .extra = parent, .state = WAY_ANNOUNCED, .flags = flags, .writer = writer };

	note_as(key, trace_id, span_id, &note);
}

/* Notes an id alone, which nobody waits for. Two may note the same at the same time: the key then
 * stands for it twice, or once. */
__noinline int note_id(struct span_key *key, __u64 id)
{
	struct span_note note = { .state = WAY_ENDED };

	if (!key)
		return 0;
	*(__u64 *)note.span_id = id;
	note_span(key, &note);
	return 0;
}

/* The same of a span whose operation is kept. */
static __always_inline void note_head(struct span_key *key, const struct span_head *head, __u64 extra, enum way_state state)
{
	note_ids(key, head->trace_id, head->span_id, head->flags, extra, state);
}

/* Says that a span's operation has ended, if the entry is still its own. */
static __always_inline void end_span(struct span_key *key, const struct span_head *head)
{
	move_span(key, way_state(head->span_id, WAY_ACTIVE), WAY_ENDED);
}

/* Takes what a key stands for, so that nobody else does. */
static __always_inline bool take_span(struct span_key *key, struct span_way *taken)
{
	return read_span(key, taken) != WAY_EMPTY && move_span(key, taken->state, WAY_EMPTY);
}

/* Has a key stand for nothing. */
static __always_inline void forget_span(struct span_key *key)
{
	struct span_way taken = {};

	take_span(key, &taken);
}

/* Puts a span's parent in its place, or nobody: the operation goes on as another one. */
static __always_inline void replace_by_parent(struct span_key *key, const struct span_head *head)
{
	struct span_way mine = {};

	if (read_span(key, &mine) != WAY_ACTIVE || *(__u64 *)mine.span_id != *(const __u64 *)head->span_id)
		return;
	if (*(const __u64 *)head->parent_id)
		note_ids(key, head->trace_id, head->parent_id, head->flags, mine.extra, WAY_ENDED);
	else
		move_span(key, mine.state, WAY_EMPTY);
}
