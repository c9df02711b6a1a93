/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Where a library's programs find what they read in each binary. Before it includes this,
 * a library defines OFFSETS, a struct. */
#pragma once

#include "types.h"
#include "process.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: binaries at a time */
	__type(key, __u32);
	__type(value, OFFSETS);
} offsets SEC(".maps");

/* What a program does with a process that traced_process or entering_process has
 * let through. False: it is none. */
static __always_inline bool begin(struct process *process, __u32 tgid, struct operation_key *key, OFFSETS **o)
{
	__u32 binary;

	if (!process)
		return false;
	binary = process->binary;
	key->tgid = tgid;
	key->generation = process->generation;
	*o = bpf_map_lookup_elem(&offsets, &binary);
	return *o;
}

/* What every program on the entry into a function begins with. */
static __always_inline bool enter(struct pt_regs *ctx, struct operation_key *key, OFFSETS **o)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return begin(entering_process(ctx, tgid), tgid, key, o);
}
