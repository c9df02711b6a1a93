/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Which processes are traced, and what names an operation in one of them. */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"

/* A traced process. A process id comes again after a restart, and the same
 * process runs another program after exec: the generation tells them apart. */
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

/* Names an operation: by the goroutine that is busy with it, or by the address of what
 * it lives in, in the place of the goroutine's id. Never the address of g: the runtime uses
 * it again for the next goroutine. */
struct operation_key {
	__u32 tgid;
	__u32 generation;
	__u64 goid;
};

/* The generation of a program that starts now. Two programs under one process
 * id are never within a microsecond of each other; it wraps in an hour. */
static __always_inline __u32 new_generation(void)
{
	__u32 generation = bpf_ktime_get_boot_ns() >> 10;

	return generation ? generation : 1;
}

/* A program with a tail call in it keeps its variables on the stack of the task.
 * Recent kernels (x86 from 6.13 on) otherwise give programs of this type one stack for each
 * CPU (kernel/bpf/verifier.c, bpf_enable_priv_stack), which counts on a check
 * against recursion that uprobes do not have (kernel/trace/bpf_trace.c,
 * uprobe_prog_run): where the kernel is preemptible, a program that preempts
 * another writes over its variables, among them its pointers. The call is never
 * made, and the verifier takes it out after it was seen. */
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

/* The process of a hit, if it is a traced one and the hit came through the
 * attachment of its own binary: files that share an inode (overlayfs) are
 * attached once for each of their names, and each hit arrives through all of
 * them. */
static __always_inline struct process *traced_process(struct pt_regs *ctx, __u32 tgid)
{
	struct process *p;

	stay_on_own_stack(ctx);
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p || p->binary != (__u32)bpf_get_attach_cookie(ctx))
		return NULL;
	count(COUNTER_HITS);
	return p;
}

/* The same for a hook on the entry into a function. Where the site is the stack
 * check itself, a call whose stack must grow comes by twice, and its second hit
 * is the one that counts. */
static __always_inline struct process *entering_process(struct pt_regs *ctx, __u32 tgid)
{
	return GO_RUNS_AGAIN(ctx) ? NULL : traced_process(ctx, tgid);
}
