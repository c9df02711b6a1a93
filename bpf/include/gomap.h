/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The search for headers in a map of the target, in either layout that Go's runtime has had.
 *
 * No key can be looked up by its hash: the seed is random, and the function is the processor's AES.
 * So a walk visits all entries. Each group of eight costs one read. */
#pragma once

#include "types.h"
#include "classicmap.h"
#include "headers.h"
#include "maplayout.h"
#include "swissmap.h"

/* Looks for the wanted headers in the map at address `map`, with `group` as scratch. WALK_GOES_ON:
 * the search did not get to the map's end. */
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
		if (walk.state == WALK_GOES_ON &&
		    (walk.index < walk.count || walk.directory_length))
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
