/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The operations in flight of one library. Before a library includes this header, it defines two
 * structs: the entry of an operation, and the offsets of its programs.
 *
 *	#define OPERATION struct …  begins with a struct span_head
 *	#define OFFSETS struct …    has a field g_goid
 *
 * An operation ends in one of three ways. It finishes, and its span is sent. It is lost, and a
 * counter says why. It is discarded, since it was none. Its entry is then released. */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"
#include "losses.h"
#include "offsets.h"
#include "process.h"
#include "ring.h"
#include "span.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by the loader */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct operation_key);
	__type(value, OPERATION);
} operations SEC(".maps");

/* The entries that each process has in the map. The count goes with the entry: whoever releases an
 * entry counts it out, by the key, whether the process lives or not. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROCESS_TABLE_SIZE);
	__uint(map_flags, BPF_F_MMAPABLE); /* user space counts out those that it sweeps */
	__type(key, __u32);
	__type(value, __u64);
} in_flight SEC(".maps");

/* The entries beyond the shares of their processes: the sum over all processes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} beyond_shares SEC(".maps");

/* The entries that a process has without asking how many others have, and those that are there for
 * processes which need more. The loader sets these. */
const volatile __u64 share;
const volatile __u64 pool;

/* A process gets no more of the pool than this times what is left. It leaves a part, however many
 * processes take what they can get: one of them a ninth, two a seventeenth. (Choudhury and Hahne,
 * "Dynamic queue length thresholds for shared-memory packet switches", 1998.) */
#define TIMES_LEFT 8

/* Counts an entry out. Each step across the share counts in the pool, in either direction. */
static __always_inline void count_out(__u64 *active)
{
	__u32 only = 0;
	__u64 *beyond;

	if (__sync_fetch_and_add(active, -1) <= share)
		return;
	beyond = bpf_map_lookup_elem(&beyond_shares, &only);
	if (beyond)
		__sync_fetch_and_add(beyond, -1);
}

/* Counts an entry in. False: the process has its part, and the entry does not count. */
static __always_inline bool count_in(__u64 *active)
{
	__u64 before = __sync_fetch_and_add(active, 1), taken, *beyond;
	__u32 only = 0;

	if (before < share)
		return true;
	beyond = bpf_map_lookup_elem(&beyond_shares, &only);
	if (!beyond)
		return false; /* cannot be: the array has one entry */
	taken = __sync_fetch_and_add(beyond, 1);
	if (taken < pool && before - share < TIMES_LEFT * (pool - taken))
		return true;
	count_out(active);
	return false;
}

/* Adds an entry, with contents. False: the key has an entry, or there is no room. */
BPF_SUBPROGRAM bool add_entry(const struct operation_key *key, const OPERATION *contents)
{
	__u64 *active;
	__u32 place;

	if (!key || !contents)
		return false;
	place = process_place(key->tgid, key->generation);
	active = bpf_map_lookup_elem(&in_flight, &place);
	if (!active || !count_in(active))
		return false;
	if (!bpf_map_update_elem(&operations, key, contents, BPF_NOEXIST))
		return true;
	count_out(active);
	return false;
}

/* Removes an entry. False: another program has removed it, or user space. */
static __always_inline bool remove_entry(const struct operation_key *key)
{
	__u32 place = process_place(key->tgid, key->generation);
	__u64 *active;

	if (bpf_map_delete_elem(&operations, key))
		return false;
	active = bpf_map_lookup_elem(&in_flight, &place);
	if (active)
		count_out(active);
	return true;
}

/* The first contents of a new entry. A program's stack is too small for an entry, and other
 * programs that preempt this one would share a scratch map. */
static const OPERATION empty_operation;

/* The entry of the goroutine's operation, on the entry into a function. */
static __always_inline OPERATION *running_operation(struct pt_regs *ctx, struct operation_key *key,
						    OFFSETS **o)
{
	/* An operation whose key could not be read stays behind. User space sweeps and counts it
	 * when the process ends, or a program does when another operation takes its place. */
	if (!enter(ctx, key, o) || go_read(&key->goid, GO_G(ctx), (*o)->g_goid))
		return NULL;
	return bpf_map_lookup_elem(&operations, key);
}

/* The same on the return from a function. */
static __always_inline OPERATION *returning_operation(struct pt_regs *ctx,
						      struct operation_key *key, OFFSETS **o)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!begin(traced_process(ctx, tgid), tgid, key, o) ||
	    go_read(&key->goid, GO_G(ctx), (*o)->g_goid))
		return NULL;
	return bpf_map_lookup_elem(&operations, key);
}

/* The depth in the stack of the frame at the stack pointer: bytes from the stack's upper end, which
 * is at `stack_hi` in g. The depth stays when the stack moves, and tells which return belongs to
 * which entry. */
static __always_inline bool frame_depth(struct pt_regs *ctx, __u32 stack_hi, __u64 *depth)
{
	__u64 top;

	if (go_read(&top, GO_G(ctx), stack_hi))
		return false;
	*depth = top - GO_SP(ctx);
	return true;
}

/* The same depth, in a deferred function that its function calls at its return. The frame begins
 * `above` bytes over the stack pointer. It has `frame` bytes up to the return address. */
static __always_inline bool deferring_depth(struct pt_regs *ctx, __u32 stack_hi, __u32 above,
					    __u32 frame, __u64 *depth)
{
	if (!frame_depth(ctx, stack_hi, depth))
		return false;
	*depth -= above + frame;
	return true;
}

/* The key of an operation in one word, by which a program claims the operation's end. Several
 * processors may end an operation at once. A released entry is another operation's at once, so a
 * program that has looked up the entry claims it first. */
static __always_inline __u64 claim_of(const struct operation_key *key)
{
	return key->goid ^ ((__u64)key->generation << 32 | key->tgid);
}

/* Whether this program is the one to end the operation. */
static __always_inline bool claim(__u64 *claim, const struct operation_key *key)
{
	__u64 mine = claim_of(key);

	return __sync_val_compare_and_swap(claim, mine, 0) == mine;
}

/* The counter of an operation that ends without a span. An operation that is not sampled counts as
 * such, since that was known from the beginning. */
static __always_inline enum counter loss_counter(const OPERATION *operation, enum counter why)
{
	return why == COUNTER_LOST_UNFINISHED && !(operation->head.flags & FLAG_SAMPLED)
		       ? COUNTER_NOT_SAMPLED
		       : why;
}

/* Releases the entry of an operation that ends without a span, and counts the end. A program that
 * finds no entry counts nothing: the program that released the entry has counted. */
static __always_inline void release_and_count(const struct operation_key *key, enum counter outcome)
{
	if (remove_entry(key))
		count_end(key, outcome);
}

/* Loses an operation as it begins, before it has an entry. */
static __always_inline void lose_without_entry(const struct operation_key *key, enum counter why)
{
	count(COUNTER_OPERATIONS);
	count_end(key, why);
}

/* Loses an operation that has begun: no span is sent. */
static __always_inline void lose_operation(const struct operation_key *key, enum counter why)
{
	release_and_count(key, why);
}

/* Discards an operation that has begun: no span is due. */
static __always_inline void discard_operation(const struct operation_key *key, enum counter why)
{
	release_and_count(key, why);
}

/* Loses an operation whose end no program saw, or whose place another operation takes. */
static __always_inline void lose_unfinished(const struct operation_key *key)
{
	const OPERATION *operation = bpf_map_lookup_elem(&operations, key);

	if (operation)
		lose_operation(key, loss_counter(operation, COUNTER_LOST_UNFINISHED));
}

/* Loses an operation that has an entry, but is not counted as begun yet. */
static __always_inline void lose_new_operation(const struct operation_key *key, enum counter why)
{
	count(COUNTER_OPERATIONS);
	lose_operation(key, why);
}

/* Discards an operation that has an entry, but is not counted as begun yet. */
static __always_inline void discard_new_operation(const struct operation_key *key, enum counter why)
{
	count(COUNTER_OPERATIONS);
	discard_operation(key, why);
}

/* Fills in the head of an operation that begins now, except for its trace. */
static __always_inline void start_head(struct pt_regs *ctx, struct span_head *head,
				       const struct operation_key *key)
{
	head->g = GO_G(ctx);
	head->tgid = key->tgid;
	head->generation = key->generation;
	head->goid = key->goid;
	head->library = library;
	head->start = bpf_ktime_get_boot_ns();
}

/* Sends the record of an operation, with `used` bytes of texts. */
static __always_inline void send_operation(OPERATION *operation, __u32 used)
{
	bounded(used);
	if (used > sizeof(operation->texts))
		used = sizeof(operation->texts);
	submit(operation, __builtin_offsetof(OPERATION, texts) + used, operation->head.tgid,
	       operation->head.generation);
}

/* Finishes an operation: sends its record and releases its entry. An operation that is not sampled
 * was kept for its children, and sends no record. */
static __always_inline void finish_operation(const struct operation_key *key, OPERATION *operation,
					     __u32 used)
{
	if (operation->head.flags & FLAG_SAMPLED) {
		send_operation(operation, used);
		remove_entry(key);
	} else {
		release_and_count(key, COUNTER_NOT_SAMPLED);
	}
}
