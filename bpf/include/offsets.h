/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The offsets that a library's programs read by, for each binary. The library defines OFFSETS, a
 * struct, before it includes this header. */
#pragma once

#include "types.h"
#include "process.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: binaries at a time */
	__type(key, __u32);
	__type(value, OFFSETS);
} offsets SEC(".maps");

/* Begins a program for a process that traced_process or entering_process has found. False: there is
 * no such process. */
static __always_inline bool begin(struct process *process, __u32 tgid, struct operation_key *key,
				  OFFSETS **o)
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

/* Begins a program on the entry into a function. */
static __always_inline bool enter(struct pt_regs *ctx, struct operation_key *key, OFFSETS **o)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return begin(entering_process(ctx, tgid), tgid, key, o);
}
