/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Walks a map[string][]string of the target's, such as net/http.Header, in
 * either of the layouts that Go's runtime has had. There is no hash to look a
 * key up by (its seed is random and its function the processor's AES), so all
 * entries are visited; each group of eight costs one read.
 *
 * Classic: src/runtime/map.go up to Go 1.23 (hmap, bmap).
 * Swiss:   src/internal/runtime/maps/{map,table,group}.go from Go 1.24 on. */
#pragma once

#include "types.h"
#include "go.h"

/* The "runtime.map.layout" field, as the planner answers it. */
#define MAP_CLASSIC 1
#define MAP_SWISS 2

/* Where the maps' own fields are in this binary. */
struct map_offsets {
	__u32 layout;
	/* classic */
	__u32 hmap_count, hmap_flags, hmap_b, hmap_buckets, hmap_oldbuckets;
	/* swiss */
	__u32 map_used, map_dir_ptr, map_dir_len;
	__u32 table_groups, groups_data, groups_length_mask;
};

/* Whether all that a walk of its layout needs is known. An offset is small, so
 * that only an absent one sets all bits. */
static __always_inline bool map_readable(const struct map_offsets *o)
{
	if (o->layout == MAP_SWISS)
		return (o->map_used | o->map_dir_ptr | o->map_dir_len | o->table_groups |
			o->groups_data | o->groups_length_mask) != ABSENT;
	if (o->layout == MAP_CLASSIC)
		return (o->hmap_count | o->hmap_flags | o->hmap_b | o->hmap_buckets |
			o->hmap_oldbuckets) != ABSENT;
	return false;
}

/* Eight entries, as they lie in memory: 16 bytes of key, 24 of value. */
#define GROUP_SLOTS 8
struct map_group {
	union {
		struct {
			__u8 ctrl[GROUP_SLOTS]; /* high bit set: empty or deleted */
			struct {
				struct go_string key;
				struct go_slice value;
			} slots[GROUP_SLOTS];
		} swiss;
		struct {
			__u8 tophash[GROUP_SLOTS]; /* under 5: no entry */
			struct go_string keys[GROUP_SLOTS];
			struct go_slice values[GROUP_SLOTS];
			__u64 overflow;
		} classic;
	};
};

#define CLASSIC_MIN_TOPHASH 5	 /* minTopHash */
#define CLASSIC_EMPTY_ONE 1	 /* emptyOne; above it and under minTopHash: evacuated */
#define CLASSIC_SAME_SIZE_GROW 8 /* sameSizeGrow */
#define CLASSIC_GROUP_SIZE sizeof(((struct map_group *)0)->classic)
#define SWISS_GROUP_SIZE sizeof(((struct map_group *)0)->swiss)

/* Groups that are visited at the most: over 500 entries. A map with more is
 * reported as not searched to its end. */
#define MAX_GROUPS 128

/* What is looked for, and where it was found. */
struct header_values {
	__u64 data; /* address of a go_string for each line */
	__s64 length;
};

struct wanted_headers {
	struct header_values traceparent;
	struct header_values tracestate;
	struct header_values user_agent;
	struct header_values authority; /* of HTTP/2; in the metadata of gRPC only */
	__u64 unreadable; /* whether an entry, or a part of one, could not be read */
};

#define FIRST8(a, b, c, d, e, f, g, h)                                                      \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)
#define NEXT4(a, b, c, d) \
	((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

static __always_inline void note_values(struct header_values *to, const struct go_slice *lines)
{
	to->data = lines->data;
	to->length = lines->length;
}

/* Letters without their case; what else is in the names that are looked for stays. */
#define LOWER8 0x2020202020202020
#define LOWER4 0x20202020

/* net/http canonicalizes the keys of what arrives, so the case on the wire
 * does not matter (src/net/textproto/reader.go, CanonicalMIMEHeaderKey); gRPC has
 * them in lower case. */
static __always_inline void match_header(const struct go_string *key, const struct go_slice *value,
					 struct wanted_headers *wanted)
{
	struct {
		__u64 first;
		__u32 next;
		__u32 rest;
	} name = {};

	if (key->length == sizeof("traceparent") - 1) {
		if (bpf_probe_read_user(&name, sizeof("traceparent") - 1, (const void *)key->data))
			goto unreadable;
		if ((name.first | LOWER8) == FIRST8('t', 'r', 'a', 'c', 'e', 'p', 'a', 'r') &&
		    (name.next | LOWER4) == NEXT4('e', 'n', 't', ' '))
			note_values(&wanted->traceparent, value);
		return;
	}
	if (key->length == sizeof("tracestate") - 1) { /* and the others */
		if (bpf_probe_read_user(&name, sizeof("tracestate") - 1, (const void *)key->data))
			goto unreadable;
		name.first |= LOWER8;
		name.next |= LOWER4;
		if (name.first == FIRST8('t', 'r', 'a', 'c', 'e', 's', 't', 'a') && name.next == NEXT4('t', 'e', ' ', ' '))
			note_values(&wanted->tracestate, value);
		else if (name.first == FIRST8('u', 's', 'e', 'r', '-', 'a', 'g', 'e') && name.next == NEXT4('n', 't', ' ', ' '))
			note_values(&wanted->user_agent, value);
		else if (name.first == FIRST8(':', 'a', 'u', 't', 'h', 'o', 'r', 'i') && name.next == NEXT4('t', 'y', ' ', ' '))
			note_values(&wanted->authority, value);
	}
	return;
unreadable:
	wanted->unreadable = 1;
}

__noinline int match_swiss_group(struct map_group *group, struct wanted_headers *wanted)
{
	if (!group || !wanted)
		return 0;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (!(group->swiss.ctrl[i] & 0x80))
			match_header(&group->swiss.slots[i].key, &group->swiss.slots[i].value, wanted);
	}
	return 0;
}

__noinline int match_classic_group(struct map_group *group, struct wanted_headers *wanted)
{
	if (!group || !wanted)
		return 0;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (group->classic.tophash[i] >= CLASSIC_MIN_TOPHASH)
			match_header(&group->classic.keys[i], &group->classic.values[i], wanted);
	}
	return 0;
}

/* Reads a group entry by entry: where it reaches into a page that nobody has
 * touched yet, there is nothing in it, but it cannot be read in one piece. */
__noinline int read_swiss_entries(struct map_group *group, __u64 address)
{
	if (!group || bpf_probe_read_user(group->swiss.ctrl, GROUP_SLOTS, (const void *)address))
		return 1;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (!(group->swiss.ctrl[i] & 0x80) &&
		    go_read(&group->swiss.slots[i], address, __builtin_offsetof(struct map_group, swiss.slots) +
							     i * sizeof(group->swiss.slots[0])))
			return 1;
	}
	return 0;
}

__noinline int read_classic_entries(struct map_group *group, __u64 address)
{
	if (!group || bpf_probe_read_user(group->classic.tophash, GROUP_SLOTS, (const void *)address))
		return 1;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (group->classic.tophash[i] >= CLASSIC_MIN_TOPHASH &&
		    (go_read(&group->classic.keys[i], address, __builtin_offsetof(struct map_group, classic.keys) +
							       i * sizeof(group->classic.keys[0])) ||
		     go_read(&group->classic.values[i], address, __builtin_offsetof(struct map_group, classic.values) +
								 i * sizeof(group->classic.values[0]))))
			return 1;
	}
	/* A bucket whose last word was never touched has no overflow. */
	if (go_read(&group->classic.overflow, address, __builtin_offsetof(struct map_group, classic.overflow)))
		group->classic.overflow = 0;
	return 0;
}

/* The state of a walk, one group a step. */
struct map_walk {
	struct map_group *group; /* scratch */
	struct wanted_headers *wanted;
	const struct map_offsets *offsets;
	__u64 next;	 /* address of the next group to read; 0: take it from the table */
	__u64 groups;	 /* address of the first group of the table */
	__u64 index;	 /* of the next group in the table */
	__u64 count;	 /* groups in the table */
	__u64 later;	 /* classic: address of the old buckets, to be walked after this table */
	__u64 later_count;
	__u64 directory; /* swiss: address of the directory */
	__u64 directory_index;
	__u64 directory_length;
	__u64 table; /* swiss: the table last walked; neighbours in the directory may be the same */
	__u32 old;   /* classic: walking the old buckets */
	__u32 state; /* WALK_… */
};

#define WALK_GOES_ON 0
#define WALK_DONE 1
#define WALK_FAILED 2

static long classic_step(__u64 step, struct map_walk *walk)
{
	struct map_group *group = walk->group;
	__u64 address = walk->next;
	__u8 first;

	if (!address) {
		if (walk->index >= walk->count) {
			if (walk->old || !walk->later) {
				walk->state = WALK_DONE;
				return 1;
			}
			walk->old = 1;
			walk->groups = walk->later;
			walk->count = walk->later_count;
			walk->index = 0;
		}
		address = walk->groups + walk->index * CLASSIC_GROUP_SIZE;
		walk->index++;
	}
	if (bpf_probe_read_user(group, CLASSIC_GROUP_SIZE, (const void *)address) &&
	    read_classic_entries(group, address)) {
		walk->state = WALK_FAILED;
		return 1;
	}
	first = group->classic.tophash[0];
	if (walk->old && !walk->next && first > CLASSIC_EMPTY_ONE && first < CLASSIC_MIN_TOPHASH)
		return 0; /* evacuated: its entries were seen among the new buckets */
	walk->next = group->classic.overflow;
	match_classic_group(group, walk->wanted);
	return 0;
}

static long swiss_step(__u64 step, struct map_walk *walk)
{
	const struct map_offsets *offsets = walk->offsets;
	__u64 table, mask, group;

	if (walk->index >= walk->count) {
		if (walk->directory_index >= walk->directory_length) {
			walk->state = WALK_DONE;
			return 1;
		}
		if (go_read(&table, walk->directory, walk->directory_index * sizeof(table)))
			goto failed;
		walk->directory_index++;
		if (table == walk->table)
			return 0;
		walk->table = table;
		if (go_read(&walk->groups, table, offsets->table_groups + offsets->groups_data) ||
		    go_read(&mask, table, offsets->table_groups + offsets->groups_length_mask))
			goto failed;
		walk->index = 0;
		walk->count = mask + 1;
	}
	group = walk->groups + walk->index * SWISS_GROUP_SIZE;
	if (bpf_probe_read_user(walk->group, SWISS_GROUP_SIZE, (const void *)group) &&
	    read_swiss_entries(walk->group, group))
		goto failed;
	walk->index++;
	match_swiss_group(walk->group, walk->wanted);
	return 0;
failed:
	walk->state = WALK_FAILED;
	return 1;
}

static __always_inline bool classic_start(struct map_walk *walk, __u64 map)
{
	const struct map_offsets *offsets = walk->offsets;
	__u64 count;
	__u8 b, flags;

	if (go_read(&count, map, offsets->hmap_count) || go_read(&flags, map, offsets->hmap_flags) ||
	    go_read(&b, map, offsets->hmap_b) || go_read(&walk->groups, map, offsets->hmap_buckets) ||
	    go_read(&walk->later, map, offsets->hmap_oldbuckets))
		return false;
	if (!count || !walk->groups) {
		walk->state = WALK_DONE;
		return true;
	}
	b &= 63;
	walk->count = 1ULL << b;
	if (walk->later)
		walk->later_count = flags & CLASSIC_SAME_SIZE_GROW ? walk->count : walk->count >> 1;
	return true;
}

/* The head of a Map, read in one piece; its fields lie at 0 to 24 from Go 1.24
 * to 1.27. */
#define SWISS_MAP_PIECE 40

called bool swiss_start(struct map_walk *walk, __u64 map)
{
	const struct map_offsets *offsets = walk->offsets;
	__u8 piece[SWISS_MAP_PIECE] __attribute__((aligned(8)));
	__u64 used, directory;
	bool have = !bpf_probe_read_user(piece, SWISS_MAP_PIECE, (const void *)map);

	if (!go_take(&used, piece, have, SWISS_MAP_PIECE, map, offsets->map_used) ||
	    !go_take(&directory, piece, have, SWISS_MAP_PIECE, map, offsets->map_dir_ptr) ||
	    !go_take(&walk->directory_length, piece, have, SWISS_MAP_PIECE, map, offsets->map_dir_len))
		return false;
	if (!used) {
		walk->state = WALK_DONE;
		return true;
	}
	if (walk->directory_length) {
		walk->directory = directory;
	} else { /* up to eight entries: one group and no table */
		walk->groups = directory;
		walk->count = 1;
	}
	return true;
}

/* Looks for the wanted headers in the map at address `map`, with `group` as
 * scratch. WALK_DONE, WALK_GOES_ON (not searched to its end), WALK_FAILED. */
static __always_inline __u32 find_headers(__u64 map, const struct map_offsets *offsets,
					  struct map_group *group, struct wanted_headers *wanted)
{
	struct map_walk walk = { .group = group, .wanted = wanted, .offsets = offsets };

	if (!map)
		return WALK_DONE;
	if (offsets->layout == MAP_SWISS) {
		if (!swiss_start(&walk, map))
			return WALK_FAILED;
		/* The usual request has no more than eight headers. */
		if (walk.state == WALK_GOES_ON)
			swiss_step(0, &walk);
		if (walk.state == WALK_GOES_ON && (walk.index < walk.count || walk.directory_length))
			bpf_loop(MAX_GROUPS, swiss_step, &walk, 0);
		else if (walk.state == WALK_GOES_ON)
			walk.state = WALK_DONE;
		return walk.state;
	}
	if (!classic_start(&walk, map))
		return WALK_FAILED;
	if (walk.state == WALK_GOES_ON)
		bpf_loop(MAX_GROUPS, classic_step, &walk, 0);
	return walk.state;
}
