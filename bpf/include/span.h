/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The head of every record, and the texts behind it. */
#pragma once

#include "types.h"
#include "go.h"
#include "counters.h"

enum trace_flag {
	FLAG_SAMPLED = 0x01, /* W3C Trace Context, trace-flags */
	FLAG_RANDOM = 0x02,  /* W3C Trace Context Level 2, random-trace-id */
};

/* Bits of struct span_head.context. */
enum context_bit {
	CONTEXT_REMOTE_PARENT = 0x01, /* the parent's id came over the wire */
	CONTEXT_MISSES_HOOKS = 0x02,  /* hooks on demand would have seen more */
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
	__u32 keeping; /* enum keeping: the future of its entry */
};

/* Whether the entry of an operation stays in the map after the operation's end: keep.h. */
enum keeping {
	KEEPING_NOT,
	KEEPING_BUSY, /* with the next operation in flight */
	KEEPING_IDLE, /* between two of them */
};

/* The two counts of kept entries: those that programs keep, and those that user space has swept.
 * Each side changes only its own. */
enum kept_count {
	KEPT_BY_PROGRAMS,
	KEPT_AND_SWEPT,
	KEPT_COUNTS,
};

/* A string behind a record. The strings lie in the order of their fields, each right behind the
 * other, and each cut at its own limit. */
struct text {
	__u16 length; /* bytes in the record */
	__u16 whole;  /* bytes of the string, at most 65535 */
};

/* The index of this library in the registry. The loader sets this. */
const volatile __u16 library;

/* Random numbers for an entry that is used again and again, such as that of a connection:
 * xoroshiro128++ 1.0 (David Blackman and Sebastiano Vigna, 2019). The kernel's generator takes
 * several times as long. Zero: not seeded. */
struct random {
	__u64 a, b;
};

static __always_inline __u64 kernel_random(void)
{
	return (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
}

static __always_inline __u64 rotate(__u64 x, __u32 by)
{
	return x << by | x >> (64 - by);
}

/* A random word: from the kernel if there is no other generator. */
static __always_inline __u64 next_random(struct random *random)
{
	__u64 a, b;

	if (!random)
		return kernel_random();
	a = random->a;
	b = random->b;
	if (!(a | b)) {
		a = kernel_random();
		b = kernel_random() | 1;
	}
	random->a = rotate(a, 49) ^ a ^ b ^ (a ^ b) << 21;
	random->b = rotate(a ^ b, 28);
	return rotate(a + b, 17) + a;
}

/* An id of zero is invalid. A bit is set if chance gave no other. */
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

/* The trace of an operation. */
enum inherited {
	INHERITED_NOTHING,     /* a trace of its own */
	INHERITED_PARENT,      /* the trace of its parent */
	INHERITED_NOT_SAMPLED, /* a trace in which this operation gets no span */
};

/* The share of new traces that are not sampled, in 1 / 2^56. OpenTelemetry's consistent probability
 * sampling decides by the last 56 bits of a trace's id. The loader sets this. */
const volatile __u64 sampling_threshold;
/* Whether an operation with a parent is sampled like that parent. The loader sets this. */
const volatile __u8 parent_based = 1;

/* Samples by the id of the trace. */
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

/* Begins a trace. `random` is as for next_random. */
static __always_inline enum inherited begin_trace(struct span_head *head, struct random *random)
{
	new_trace_id(head, random);
	head->flags = FLAG_SAMPLED;
	if (!sampling_threshold)
		return INHERITED_NOTHING;
	head->flags |= FLAG_RANDOM;
	return sample(head, INHERITED_NOTHING);
}

/* Samples by the parent's flags. */
static __always_inline enum inherited follow_parent(struct span_head *head)
{
	if (!parent_based)
		return sample(head, INHERITED_PARENT);
	return head->flags & FLAG_SAMPLED ? INHERITED_PARENT : INHERITED_NOT_SAMPLED;
}

/* The length of a short text, which a program copies by way of its stack. Before a copy from the
 * target into a map's entry, the kernel checks that memory (CONFIG_HARDENED_USERCOPY). The check
 * takes as long as the copy, and is short for the stack. The bytes behind the text are copied too,
 * if there is room. The next text lies over them. */
#define SHORT_TEXT 32

static __always_inline void put_short(__u8 *to, const __u64 *words)
{
	for (__u32 i = 0; i < SHORT_TEXT / sizeof(__u64); i++)
		((__u64 *)to)[i] = words[i];
}

/* Copies `length` bytes of the target, at most `limit`, for which there is room. 0: the copy is
 * complete. */
BPF_SUBPROGRAM long copy_bytes(__u8 *to, __u64 length, __u64 limit, __u64 from)
{
	__u64 words[SHORT_TEXT / sizeof(__u64)];

	if (!to)
		return -1;
	if (length <= SHORT_TEXT && limit >= SHORT_TEXT &&
	    !bpf_probe_read_user(words, sizeof(words), (const void *)from)) {
		put_short(to, words);
		return 0;
	}
	bounded(length);
	return length > limit ? -1 : bpf_probe_read_user(to, length, (const void *)from);
}

/* Copies a string of the target behind the record. `texts` has room for `texts_size` bytes, of
 * which `*used` are taken. False: the string is there and could not be read. */
static __always_inline bool copy_text(struct text *text, __u8 *texts, const __u32 texts_size,
				      __u16 *used, const struct go_string *string,
				      const __u32 limit)
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

#define COPY(span, field, string, limit)                                                       \
	copy_text(&(span)->field, (span)->texts, sizeof((span)->texts), &(span)->used, string, \
		  limit)
