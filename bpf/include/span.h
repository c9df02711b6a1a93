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

/* Random numbers of what is used again and again, such as the entry of a connection: xoroshiro128++ 1.0 (David
 * Blackman and Sebastiano Vigna, 2019). The kernel's own take several times as long. Zero: not begun. */
struct random {
	__u64 a, b;
};

static __always_inline __u64 kernels_random(void)
{
	return (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
}

static __always_inline __u64 rotate(__u64 x, __u32 by)
{
	return x << by | x >> (64 - by);
}

/* A random word: of the kernel's if there is nothing else. */
static __always_inline __u64 next_random(struct random *random)
{
	__u64 a, b;

	if (!random)
		return kernels_random();
	a = random->a;
	b = random->b;
	if (!(a | b)) {
		a = kernels_random();
		b = kernels_random() | 1;
	}
	random->a = rotate(a, 49) ^ a ^ b ^ (a ^ b) << 21;
	random->b = rotate(a ^ b, 28);
	return rotate(a + b, 17) + a;
}

/* Ids of zero are invalid: a bit is set where chance gave none. */
static __always_inline void new_span_id(struct span_head *head, struct random *random)
{
	__u64 id = next_random(random);

	__builtin_memcpy(head->span_id, &id, sizeof(id));
	if (!id)
		head->span_id[7] = 1;
}

static __always_inline void new_trace_id(struct span_head *head, struct random *random)
{
	__u64 id[2] = { next_random(random), next_random(random) };

	__builtin_memcpy(head->trace_id, id, sizeof(id));
	if (!id[0])
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

/* Begins a trace. `random` as of next_random. */
static __always_inline enum inherited begin_trace(struct span_head *head, struct random *random)
{
	new_trace_id(head, random);
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

/* Where bytes of the target's go to an entry of a map, the kernel finds out first what that memory is
 * (CONFIG_HARDENED_USERCOPY), for as long as the copy itself takes, but not where they go to the
 * stack. So a short text goes by way of that, with whatever is behind it, if there is room for it: what
 * comes next lies over it. */
#define SHORT_TEXT 32

static __always_inline void put_short(__u8 *to, const __u64 *words)
{
	for (__u32 i = 0; i < SHORT_TEXT / sizeof(__u64); i++)
		((__u64 *)to)[i] = words[i];
}

/* Copies so many bytes of the target's, at most `limit`, for which there is room. 0: it was done. */
called long copy_bytes(__u8 *to, __u64 length, __u64 limit, __u64 from)
{
	__u64 words[SHORT_TEXT / sizeof(__u64)];

	if (!to)
		return -1;
	if (length <= SHORT_TEXT && limit >= SHORT_TEXT && !bpf_probe_read_user(words, sizeof(words), (const void *)from)) {
		put_short(to, words);
		return 0;
	}
	bounded(length);
	return length > limit ? -1 : bpf_probe_read_user(to, length, (const void *)from);
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
	if (copy_bytes(texts + at, length, limit, string->data)) {
		text->whole = 0xffff; /* cut to nothing: record.Text.Missing */
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
