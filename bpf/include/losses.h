/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What each process has lost. Only a loss touches this. */
#pragma once

#include "types.h"
#include "counters.h"
#include "process.h"

struct process_key {
	__u32 tgid;
	__u32 generation;
};

/* The operations that a process has lost, by reason: the counters from FIRST_LOSS on. */
struct lost_operations {
	__u64 n[LAST_LOSS - FIRST_LOSS + 1];
};

/* User space releases the entries of ended processes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct process_key);
	__type(value, struct lost_operations);
} losses SEC(".maps");

static const struct lost_operations nothing_lost;

/* Counts a loss against a process. If there is no room for the process, the loss counts for none:
 * in the counter. */
BPF_SUBPROGRAM int count_loss(__u32 tgid, __u32 generation, enum counter why)
{
	struct process_key key = { tgid, generation };
	struct lost_operations *lost = bpf_map_lookup_elem(&losses, &key);
	__u32 reason = why - FIRST_LOSS;

	if (reason > LAST_LOSS - FIRST_LOSS)
		return 0;
	if (!lost) {
		/* Another program may add the entry at the same time. */
		bpf_map_update_elem(&losses, &key, &nothing_lost, BPF_NOEXIST);
		lost = bpf_map_lookup_elem(&losses, &key);
	}
	if (lost)
		__sync_fetch_and_add(&lost->n[reason], 1);
	else
		count(why);
	return 0;
}

/* Counts the end of an operation that sends no record. */
static __always_inline void count_end(const struct operation_key *key, enum counter outcome)
{
	if (outcome >= FIRST_LOSS && outcome <= LAST_LOSS)
		count_loss(key->tgid, key->generation, outcome);
	else
		count(outcome);
}
