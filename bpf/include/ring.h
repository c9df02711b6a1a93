/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The ring buffer that takes records to user space, and what each process may have in it. */
#pragma once

#include "types.h"
#include "counters.h"
#include "losses.h"
#include "process.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* set by the loader */
} spans SEC(".maps");

/* The number of waiting bytes at which a program wakes the reader: a quarter of the ring buffer,
 * which is a power of two. The loader sets this. The reader also looks at fixed intervals, so no
 * program wakes it for a single record. */
const volatile __u64 wakeup_bytes;
/* The bytes beyond a multiple of wakeup_bytes in which a program wakes the reader. A wake-up is an
 * interrupt that a CPU sends to itself, and costs more than a program. The reader may take a while,
 * so not each record beyond the threshold wakes it. A single wake-up is enough. The band has room
 * for a few records, since another CPU may send one between a program's look and its own record. */
#define WAKEUP_BAND 4096

/* The bytes of a process that wait in the ring buffer, while a quarter of it or more is full. The
 * programs learn how far the reader is, and not which records it has read. So they count the bytes
 * up to a mark, and those behind the mark. The reader has read the first ones when it has come to
 * the mark. A new mark is then at the end. */
struct waiting_bytes {
	__u64 mark; /* a position in the ring buffer, as are all of them */
	__u64 last; /* of the last record */
	__u64 before_mark, behind_mark;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROCESS_TABLE_SIZE);
	__type(key, __u32);
	__type(value, struct waiting_bytes);
} waiting SEC(".maps");

/* A process gets no more of the ring buffer than this times what is left, as in operation.h. A
 * process that is alone gets 85 %, and leaves the rest. */
#define TIMES_LEFT_IN_RING 4

/* Counts the bytes of a record in, while the ring buffer is crowded. False: the process has its
 * part. */
BPF_SUBPROGRAM bool count_waiting(__u32 place, __u64 in_ring, __u64 size)
{
	struct waiting_bytes *mine = bpf_map_lookup_elem(&waiting, &place);
	__u64 read, mark, before, left;

	if (!mine)
		return true; /* cannot be: the place is in the table */
	read = bpf_ringbuf_query(&spans, BPF_RB_CONS_POS);
	mark = *(volatile __u64 *)&mine->mark;
	if (read >= mark &&
	    __sync_val_compare_and_swap(&mine->mark, mark, read + in_ring) == mark) {
		before = __sync_lock_test_and_set(&mine->behind_mark, 0);
		mine->before_mark = read > mine->last ? 0 : before;
	}
	left = 4 * wakeup_bytes - in_ring;
	if (mine->before_mark + mine->behind_mark >= TIMES_LEFT_IN_RING * left)
		return false;
	mine->last = read + in_ring;
	__sync_fetch_and_add(&mine->behind_mark, size);
	return true;
}

/* Sends a record of `size` bytes, of a process, to user space. */
static __always_inline void submit(void *record, __u64 size, __u32 tgid, __u32 generation)
{
	__u64 in_ring = bpf_ringbuf_query(&spans, BPF_RB_AVAIL_DATA);
	bool crowded = in_ring >= wakeup_bytes;
	bool reached = crowded && (in_ring & (wakeup_bytes - 1)) < WAKEUP_BAND;
	__u64 wakeup = reached ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if ((crowded && !count_waiting(process_place(tgid, generation), in_ring, size)) ||
	    bpf_ringbuf_output(&spans, record, size, wakeup))
		count_loss(tgid, generation, COUNTER_LOST_RING_BUFFER_FULL);
	else
		count(COUNTER_SUBMITTED);
}
