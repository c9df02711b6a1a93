/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The walk through a classic map: buckets of eight entries, with chains of overflow buckets. */
#pragma once

#include "types.h"
#include "go.h"
#include "headers.h"
#include "maplayout.h"

#define CLASSIC_MIN_TOPHASH 5	 /* minTopHash */
#define CLASSIC_EMPTY_ONE 1	 /* emptyOne; more, and less than minTopHash: evacuated */
#define CLASSIC_SAME_SIZE_GROW 8 /* sameSizeGrow */
#define CLASSIC_GROUP_SIZE sizeof(((struct map_group *)0)->classic)

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

__noinline int read_classic_entries(struct map_group *group, __u64 address)
{
	if (!group ||
	    bpf_probe_read_user(group->classic.tophash, GROUP_SLOTS, (const void *)address))
		return 1;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (group->classic.tophash[i] >= CLASSIC_MIN_TOPHASH &&
		    (go_read(&group->classic.keys[i], address,
			     __builtin_offsetof(struct map_group, classic.keys) +
				     i * sizeof(group->classic.keys[0])) ||
		     go_read(&group->classic.values[i], address,
			     __builtin_offsetof(struct map_group, classic.values) +
				     i * sizeof(group->classic.values[0]))))
			return 1;
	}
	/* A bucket whose last word was never touched has no overflow. */
	if (go_read(&group->classic.overflow, address,
		    __builtin_offsetof(struct map_group, classic.overflow)))
		group->classic.overflow = 0;
	return 0;
}

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
		return 0; /* evacuated: the walk saw its entries among the new buckets */
	walk->next = group->classic.overflow;
	match_classic_group(group, walk->wanted);
	return 0;
}

static __always_inline bool classic_start(struct map_walk *walk, __u64 map)
{
	const struct map_offsets *offsets = walk->offsets;
	__u64 count;
	__u8 b, flags;

	if (go_read(&count, map, offsets->hmap_count) ||
	    go_read(&flags, map, offsets->hmap_flags) || go_read(&b, map, offsets->hmap_b) ||
	    go_read(&walk->groups, map, offsets->hmap_buckets) ||
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
