/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The walk through a Swiss map: a directory of tables, each an array of groups of eight entries. */
#pragma once

#include "types.h"
#include "go.h"
#include "headers.h"
#include "maplayout.h"

#define SWISS_GROUP_SIZE sizeof(((struct map_group *)0)->swiss)

__noinline int match_swiss_group(struct map_group *group, struct wanted_headers *wanted)
{
	if (!group || !wanted)
		return 0;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (!(group->swiss.ctrl[i] & 0x80))
			match_header(&group->swiss.slots[i].key, &group->swiss.slots[i].value,
				     wanted);
	}
	return 0;
}

/* Reads a group entry by entry. A group may reach into a page that the target has not touched yet.
 * There is nothing in that page, but the group cannot be read in one piece. */
__noinline int read_swiss_entries(struct map_group *group, __u64 address)
{
	if (!group || bpf_probe_read_user(group->swiss.ctrl, GROUP_SLOTS, (const void *)address))
		return 1;
	for (int i = 0; i < GROUP_SLOTS; i++) {
		if (!(group->swiss.ctrl[i] & 0x80) &&
		    go_read(&group->swiss.slots[i], address,
			    __builtin_offsetof(struct map_group, swiss.slots) +
				    i * sizeof(group->swiss.slots[0])))
			return 1;
	}
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

/* The head of a Map, read in one piece. Its fields lie at 0 to 24 from Go 1.24 to 1.27. */
#define SWISS_MAP_PIECE 40

BPF_SUBPROGRAM bool swiss_start(struct map_walk *walk, __u64 map)
{
	const struct map_offsets *offsets = walk->offsets;
	__u8 piece[SWISS_MAP_PIECE] __attribute__((aligned(8)));
	__u64 used, directory;
	bool have = !bpf_probe_read_user(piece, SWISS_MAP_PIECE, (const void *)map);

	if (!go_take(&used, piece, have, SWISS_MAP_PIECE, map, offsets->map_used) ||
	    !go_take(&directory, piece, have, SWISS_MAP_PIECE, map, offsets->map_dir_ptr) ||
	    !go_take(&walk->directory_length, piece, have, SWISS_MAP_PIECE, map,
		     offsets->map_dir_len))
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
