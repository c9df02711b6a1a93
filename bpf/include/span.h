/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The head of every record, the texts behind it, and the ring buffer that
 * takes them to user space. */
#pragma once

#include "types.h"
#include "go.h"
#include "counters.h"

#define FLAG_SAMPLED 0x01 /* W3C Trace Context, trace-flags */
#define FLAG_RANDOM 0x02  /* W3C Trace Context Level 2, random-trace-id */

/* Bits of struct span_head.context. */
enum context_bit {
	CONTEXT_REMOTE_PARENT = 0x01, /* the parent id came over the wire */
	CONTEXT_MISSES_HOOKS = 0x02,  /* hooks on demand would have told more */
};

struct span_head {
	__u64 start; /* CLOCK_BOOTTIME, ns */
	__u64 end;   /* CLOCK_BOOTTIME, ns */
	__u64 goid;
	__u64 g; /* address of the goroutine's runtime.g; 0: the operation outlives it */
	__u32 tgid;
	__u32 generation;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 parent_id[8]; /* zero: no parent */
	__u8 flags;	   /* W3C trace flags */
	__u8 context;
	__u16 library; /* index in the registry */
	__u32 keeping; /* enum keeping: what becomes of its entry */
};

/* Whether the entry of an operation stays in the map when that has ended: keep.h. */
enum keeping {
	KEEPING_NOT,
	KEEPING_BUSY, /* with the next operation */
	KEEPING_IDLE, /* between two of them */
};

/* One string behind a record. The strings lie in the order of their fields,
 * one right after the other, each cut at its own limit. */
struct text {
	__u16 length; /* bytes that were kept */
	__u16 whole;  /* bytes that it had, at most 65535 */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* set by the loader */
} spans SEC(".maps");

/* Index of this library in the registry; set by the loader. */
const volatile __u16 library;
/* Bytes that wait in the ring buffer when the reader is woken, a power of two; set
 * by the loader. The reader also looks at fixed intervals, so that nothing is woken
 * for a single record. */
const volatile __u64 wakeup_bytes;
/* A wake-up is an interrupt that a CPU sends to itself, and costs more than a
 * program. So not each record that finds so much waiting wakes the reader, which
 * may be a while in coming: those do that find it, or a multiple of it, and no more
 * than this beyond. One is enough; that is room for a few, since another CPU may
 * send a record between a program's look and its own. */
#define WAKEUP_BAND 4096

static __always_inline void random_bytes(__u8 *to, int n)
{
	for (int i = 0; i < n; i += 4) {
		__u32 r = bpf_get_prandom_u32();

		__builtin_memcpy(to + i, &r, 4);
	}
}

/* Ids of zero are invalid: a bit is set where chance gave none. */
static __always_inline void new_span_id(struct span_head *head)
{
	random_bytes(head->span_id, sizeof(head->span_id));
	if (!*(__u64 *)head->span_id)
		head->span_id[7] = 1;
}

static __always_inline void new_trace_id(struct span_head *head)
{
	random_bytes(head->trace_id, sizeof(head->trace_id));
	if (!*(__u64 *)head->trace_id)
		head->trace_id[7] = 1;
}

/* Whose trace an operation belongs to. */
enum inherited {
	INHERITED_NOTHING,     /* one of its own */
	INHERITED_PARENT,      /* that of its parent */
	INHERITED_NOT_SAMPLED, /* one in which there is to be no span of it */
};

/* What of new traces is not sampled, in 1 / 2^56: OpenTelemetry's consistent probability
 * sampling, where the last 56 bits of a trace's id decide. Set by the loader. */
const volatile __u64 sampling_threshold;
/* Whether those that have a parent are sampled as that one is. Set by the loader. */
const volatile __u8 parent_based = 1;

/* What the id of the trace says about sampling. */
static __always_inline enum inherited sample(struct span_head *head, enum inherited otherwise)
{
	__u64 randomness = __builtin_bswap64(*(__u64 *)(head->trace_id + 8)) << 8 >> 8;

	if (randomness >= sampling_threshold) {
		head->flags |= FLAG_SAMPLED;
		return otherwise;
	}
	head->flags &= ~FLAG_SAMPLED;
	return INHERITED_NOT_SAMPLED;
}

/* Begins a trace. */
static __always_inline enum inherited begin_trace(struct span_head *head)
{
	new_trace_id(head);
	head->flags = FLAG_SAMPLED;
	if (!sampling_threshold)
		return INHERITED_NOTHING;
	head->flags |= FLAG_RANDOM;
	return sample(head, INHERITED_NOTHING);
}

/* Goes by what a parent's flags say. */
static __always_inline enum inherited follow_parent(struct span_head *head)
{
	if (!parent_based)
		return sample(head, INHERITED_PARENT);
	return head->flags & FLAG_SAMPLED ? INHERITED_PARENT : INHERITED_NOT_SAMPLED;
}

/* Copies a string of the target's behind the record. `texts` has room for
 * `texts_size` bytes, `*used` of them taken. False: the string is there and
 * could not be read. */
static __always_inline bool copy_text(struct text *text, __u8 *texts, const __u32 texts_size,
				      __u16 *used, const struct go_string *string, const __u32 limit)
{
	__u64 length = string->length;
	__u32 at = *used;

	if (string->length <= 0)
		return true;
	text->whole = length > 0xffff ? 0xffff : length;
	if (length > limit)
		length = limit;
	bounded(at);
	if (at > texts_size - limit)
		return false;
	bounded(length);
	if (length > limit || bpf_probe_read_user(texts + at, length, (const void *)string->data)) {
		text->whole = 0;
		return false;
	}
	text->length = length;
	*used = at + length;
	return true;
}

#define COPY(span, field, string, limit) \
	copy_text(&(span)->field, (span)->texts, sizeof((span)->texts), &(span)->used, string, limit)

/* Sends a record of `size` bytes to user space. */
static __always_inline void submit(void *record, __u64 size)
{
	__u64 waiting = bpf_ringbuf_query(&spans, BPF_RB_AVAIL_DATA);
	bool reached = waiting >= wakeup_bytes && (waiting & (wakeup_bytes - 1)) < WAKEUP_BAND;
	__u64 wakeup = reached ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_output(&spans, record, size, wakeup))
		count(COUNTER_LOST_RING_FULL);
	else
		count(COUNTER_SUBMITTED);
}
