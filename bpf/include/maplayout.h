/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The layouts that Go's runtime has had for a map[string][]string.
 *
 * Classic: src/runtime/map.go up to Go 1.23 (hmap, bmap).
 * Swiss: src/internal/runtime/maps/{map,table,group}.go from Go 1.24 on. */
#pragma once

#include "types.h"
#include "go.h"
#include "headers.h"

/* The field "runtime.map.layout", as the planner answers it. */
enum map_layout {
	MAP_CLASSIC = 1,
	MAP_SWISS = 2,
};

/* The places of the maps' own fields in this binary. */
struct map_offsets {
	__u32 layout;
	/* classic */
	__u32 hmap_count, hmap_flags, hmap_b, hmap_buckets, hmap_oldbuckets;
	/* swiss */
	__u32 map_used, map_dir_ptr, map_dir_len;
	__u32 table_groups, groups_data, groups_length_mask;
};

/* Whether all fields are known that a walk of the layout needs. An offset is small, so only an
 * absent one sets all bits. */
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

/* Groups that a walk visits at the most: over 500 entries. A walk through a larger map does not get
 * to its end. */
#define MAX_GROUPS 128

/* The state of a walk, which reads one group a step. */
struct map_walk {
	struct map_group *group; /* scratch */
	struct wanted_headers *wanted;
	const struct map_offsets *offsets;
	__u64 next;   /* address of the next group; 0: the next of the table */
	__u64 groups; /* address of the first group of the table */
	__u64 index;  /* of the next group in the table */
	__u64 count;  /* groups in the table */
	__u64 later;  /* classic: address of the old buckets, which come after this table */
	__u64 later_count;
	__u64 directory; /* swiss: address of the directory */
	__u64 directory_index;
	__u64 directory_length;
	__u64 table; /* swiss: the last table; neighbours in the directory may be the same */
	__u32 old;   /* classic: whether the walk is in the old buckets */
	__u32 state; /* enum walk_state */
};

/* The state of a walk after a step. */
enum walk_state {
	WALK_GOES_ON,
	WALK_DONE,
	WALK_FAILED,
};
