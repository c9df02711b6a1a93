/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The traced processes, and the key of an operation in a process. */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"

/* A traced process. A process id comes again after a restart, and the same process runs another
 * program after exec. The generation tells these apart. */
struct process {
	__u32 generation;
	__u32 binary; /* index into the libraries' "offsets" maps */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32); /* thread-group id */
	__type(value, struct process);
} processes SEC(".maps");

/* The key of an operation: its goroutine's id, or in its place the address of an object that the
 * operation lives in. The address of g is no key: the runtime uses it again for the next
 * goroutine. */
struct operation_key {
	__u32 tgid;
	__u32 generation;
	__u64 goid;
};

/* Two secret words: no target can choose the places of its entries in tables. The loader sets
 * these. */
const volatile __u64 hash_seed[2];

static __always_inline __u64 mixed(__u64 x)
{
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 32;
}

/* The tables of what each process has taken, by a hash of the process. Two processes share an entry
 * by chance, and then what one of them may take: with any one other, 1 in 8192. */
enum process_table {
	PROCESS_TABLE_SIZE = 8192, /* a power of two */
};

/* The place of a process in these tables. An ended process keeps its place, until its last entry
 * elsewhere is released. User space computes the same: attach.placeOf. */
static __always_inline __u32 process_place(__u32 tgid, __u32 generation)
{
	__u64 word = (__u64)generation << 32 | tgid;

	return mixed(mixed(hash_seed[0] ^ word) + hash_seed[1]) & (PROCESS_TABLE_SIZE - 1);
}

/* Marks what the running process has in a table that all processes share: 16 bits, by a hash of its
 * id. */
static __always_inline __u16 owner_mark(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return mixed(mixed(hash_seed[0] ^ tgid) + hash_seed[1]);
}

/* 1 if two marks are the same, else 0. A comparison would be a branch, and the kernel would verify
 * each way through all comparisons of a loop. */
static __always_inline __u64 same_mark(__u64 a, __u64 b)
{
	__u64 difference = (a ^ b) - 1;

	bounded(difference);
	return difference >> 63;
}

/* The shift that makes microseconds, or nearly so, of nanoseconds. */
enum generation {
	GENERATION_SHIFT = 10,
};

/* The generation of a process that starts now. Two programs under one process id are never within a
 * microsecond of each other. The number wraps in an hour. */
static __always_inline __u32 new_generation(void)
{
	__u32 generation = bpf_ktime_get_boot_ns() >> GENERATION_SHIFT;

	return generation ? generation : 1;
}

/* Keeps the variables of a program on the stack of the task, by a tail call in the program.
 *
 * Recent kernels (x86 from 6.13 on) give programs of this type one stack for each CPU
 * (kernel/bpf/verifier.c, bpf_enable_priv_stack). This relies on a check against recursion that
 * uprobes do not have (kernel/trace/bpf_trace.c, uprobe_prog_run). On a preemptible kernel, a
 * program that preempts another then overwrites its variables, pointers among them. A program with
 * a tail call is exempt. The call is never made, and the verifier removes it later. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} nothing SEC(".maps");

const volatile __u8 never;

static __always_inline void stay_on_own_stack(struct pt_regs *ctx)
{
	if (never)
		bpf_tail_call(ctx, &nothing, 0);
}

/* The process of a hit. NULL: the process is not traced, or the hit came through the attachment of
 * another binary. Files that share an inode (overlayfs) are attached once for each of their names.
 * Each hit arrives through all of these attachments. */
static __always_inline struct process *traced_process(struct pt_regs *ctx, __u32 tgid)
{
	struct process *p;

	stay_on_own_stack(ctx);
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p || p->binary != (__u32)bpf_get_attach_cookie(ctx))
		return NULL;
	count(COUNTER_PROBE_HITS);
	return p;
}

/* The same for a hook on the entry into a function. If the site is the stack check itself, a call
 * whose stack must grow comes by twice. Its second hit counts. */
static __always_inline struct process *entering_process(struct pt_regs *ctx, __u32 tgid)
{
	return GO_RUNS_AGAIN(ctx) ? NULL : traced_process(ctx, tgid);
}
