/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The ring buffer that takes records to user space, and what each process may have in it. */
#pragma once

#include "types.h"
#include "counters.h"
#include "losses.h"
#include "process.h"
#include "waiting.h"

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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROCESS_TABLE_SIZE);
	__type(key, __u32);
	__type(value, struct waiting_bytes);
} waiting SEC(".maps");

/* Counts the bytes of a record in, while the ring buffer is crowded. False: the process has its
 * part. */
BPF_SUBPROGRAM bool count_waiting(__u32 place, __u64 in_ring, __u64 size)
{
	struct waiting_bytes *mine = bpf_map_lookup_elem(&waiting, &place);

	if (!mine)
		return true; /* cannot be: the place is in the table */
	return count_in_ring(mine, bpf_ringbuf_query(&spans, BPF_RB_CONS_POS), in_ring,
			     4 * wakeup_bytes - in_ring, size);
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
