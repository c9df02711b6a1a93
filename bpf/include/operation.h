/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The operations in flight of one library. Before it includes this, a library
 * says what it keeps of one, and where its programs find what they read:
 *
 *	#define OPERATION struct …  begins with a struct span_head
 *	#define OFFSETS struct …    has a field g_goid
 */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"
#include "offsets.h"
#include "process.h"
#include "span.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by the loader */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct operation_key);
	__type(value, OPERATION);
} operations SEC(".maps");

/* What a new entry starts from: a program's stack is too small to hold one,
 * and a scratch map would be shared with whatever preempts it. */
static const OPERATION empty_operation;

/* The operation that the goroutine is busy with, on the entry into a function. */
static __always_inline OPERATION *running(struct pt_regs *ctx, struct operation_key *key, OFFSETS **o)
{
	/* What a key that cannot be read leaves behind is swept and counted when
	 * another operation takes its place, or the process ends. */
	if (!enter(ctx, key, o) || go_read(&key->goid, GO_G(ctx), (*o)->g_goid))
		return NULL;
	return bpf_map_lookup_elem(&operations, key);
}

/* The same on the return from one. */
static __always_inline OPERATION *returning(struct pt_regs *ctx, struct operation_key *key, OFFSETS **o)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!begin(traced_process(ctx, tgid), tgid, key, o) || go_read(&key->goid, GO_G(ctx), (*o)->g_goid))
		return NULL;
	return bpf_map_lookup_elem(&operations, key);
}

/* How deep in the stack the frame is that the stack pointer is at, in bytes from
 * the stack's upper end, which is at `stack_hi` in g: it stays when the stack moves,
 * and tells which return belongs to which entry. */
static __always_inline bool frame_depth(struct pt_regs *ctx, __u32 stack_hi, __u64 *depth)
{
	__u64 top;

	if (go_read(&top, GO_G(ctx), stack_hi))
		return false;
	*depth = top - GO_SP(ctx);
	return true;
}

/* The same of a function that runs what it has deferred, at its return: its frame begins so far above the stack
 * pointer, and has so many bytes up to the return address. */
static __always_inline bool deferring_depth(struct pt_regs *ctx, __u32 stack_hi, __u32 above, __u32 frame, __u64 *depth)
{
	if (!frame_depth(ctx, stack_hi, depth))
		return false;
	*depth -= above + frame;
	return true;
}

/* What an operation that may be ended on several processors at once is claimed by: its
 * key, in one word. An entry is used again as soon as it was removed, so a program that
 * has looked it up must not take what is another's by then. */
static __always_inline __u64 claim_of(const struct operation_key *key)
{
	return key->goid ^ ((__u64)key->generation << 32 | key->tgid);
}

/* Whether the one who asks is the one to end the operation. */
static __always_inline bool claim(__u64 *claim, const struct operation_key *key)
{
	__u64 mine = claim_of(key);

	return __sync_val_compare_and_swap(claim, mine, 0) == mine;
}

/* What one that has lost its end is counted as: that it is not sampled was known from the beginning. */
static __always_inline enum counter lost(const OPERATION *operation, enum counter why)
{
	return why == COUNTER_LOST_UNFINISHED && !(operation->head.flags & FLAG_SAMPLED) ? COUNTER_NOT_SAMPLED : why;
}

/* Removes an operation that goes no further. Whoever removes an entry counts it. */
static __always_inline void remove(const struct operation_key *key, enum counter why)
{
	if (!bpf_map_delete_elem(&operations, key))
		count(why);
}

/* Removes one whose end was not seen, or that another one has taken the place of. */
static __always_inline void remove_unfinished(const struct operation_key *key)
{
	const OPERATION *operation = bpf_map_lookup_elem(&operations, key);

	if (operation)
		remove(key, lost(operation, COUNTER_LOST_UNFINISHED));
}

/* Removes one that goes no further and has not been counted as begun. */
static __always_inline void give_up(const struct operation_key *key, enum counter why)
{
	count(COUNTER_OPERATIONS);
	remove(key, why);
}

/* Fills in the head of an operation that begins now, but for its trace. */
static __always_inline void start_head(struct pt_regs *ctx, struct span_head *head, const struct operation_key *key)
{
	head->g = GO_G(ctx);
	head->tgid = key->tgid;
	head->generation = key->generation;
	head->goid = key->goid;
	head->library = library;
	head->start = bpf_ktime_get_boot_ns();
}

/* Sends an operation with so many bytes of texts. */
static __always_inline void send(OPERATION *operation, __u32 used)
{
	bounded(used);
	if (used > sizeof(operation->texts))
		used = sizeof(operation->texts);
	submit(operation, __builtin_offsetof(OPERATION, texts) + used);
}

/* The same, and forgets it. One that is not sampled was kept for those that come after it. */
static __always_inline void finish(const struct operation_key *key, OPERATION *operation, __u32 used)
{
	if (operation->head.flags & FLAG_SAMPLED) {
		send(operation, used);
		bpf_map_delete_elem(&operations, key);
	} else {
		remove(key, COUNTER_NOT_SAMPLED);
	}
}
