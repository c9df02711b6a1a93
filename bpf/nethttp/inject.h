/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The context of a span in a request: its text, and the offsets of the places for it. */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"
#include "go.h"
#include "handover.h"
#include "spancontext.h"
#include "spaneviction.h"
#include "tracestate.h"

struct inject_offsets {
	__u32 writer_buf, writer_n, writer_wr; /* bufio.Writer.buf, .n and .wr */
	/* Of net/http, of its internal package, and of golang.org/x/net. */
	struct frame_offsets {
		__u32 stream, block, end_headers; /* HeadersFrameParam */
		__u32 buffer, writer;		  /* Framer.wbuf and .w */
	} bundled, internal, net;
	/* A type of buffers of another library: the bytes or a pointer to them, and the count of
	 * used bytes. */
	__u32 own_buf, own_buf_pointer, own_n;
};

#define OFFSETS struct inject_offsets
#include "offsets.h"

#define TRACEPARENT_NAME_LENGTH 11 /* traceparent */
#define TRACESTATE_NAME_LENGTH 10  /* tracestate */
#define TRACEPARENT_LENGTH 55	   /* of version 00 */

/* The length of a tracestate, bounded for the verifier. Another tracestate may take its place
 * before the next read. */
static __always_inline __u32 tracestate_length(const struct kept_tracestate *state)
{
	__u32 length = state->length;

	bounded(length);
	return length <= TRACESTATE_LIMIT ? length : 0;
}

/* A length of 1 to `limit`, a power of two. Kernels before 6.8 otherwise do not see that the length
 * is not zero. */
static __always_inline __u64 positive(__u64 length, const __u64 limit)
{
	length--;
	bounded(length);
	return (length & (limit - 1)) + 1;
}

/* Writes a tracestate. False: the write failed, or the map had another tracestate in its place
 * afterwards. */
static __always_inline bool write_tracestate(__u64 to, const struct kept_tracestate *state,
					     __u32 length, const struct span_way *way)
{
	return length &&
	       !bpf_probe_write_user((void *)to, state->text, positive(length, TRACESTATE_LIMIT)) &&
	       find_tracestate(way) == state;
}

/* Takes the context that was announced for a request that is about to be sent. That takes a moment.
 * An older announcement is of a request that was never sent, or not in time. */
static __always_inline bool take_announced(struct span_key *key, struct span_way *way)
{
	__u32 now = bpf_ktime_get_boot_ns() >> 24;

	if (!take_span(key, way))
		return false;
	if (now - way->time <= UNDER_WAY)
		return true;
	count(COUNTER_NOT_INJECTED);
	return false;
}

/* Whether the bytes at an address are a name. */
static __always_inline bool is_name(__u64 at, const char *name, const __u32 length)
{
	char found[16] = {};

	if (bpf_probe_read_user(found, length, (const void *)at))
		return false;
	for (__u32 i = 0; i < length; i++) {
		if (found[i] != name[i])
			return false;
	}
	return true;
}

/* Counts a request with its span's context or without, and likewise its tracestate. */
static __always_inline void count_written(bool context, bool state,
					  const struct kept_tracestate *wanted)
{
	count(context ? COUNTER_INJECTED : COUNTER_NOT_INJECTED);
	if (context && wanted && !state)
		count(COUNTER_TRACESTATES_NOT_INJECTED);
}

static const char digits[16] = "0123456789abcdef";

static __always_inline void hex(char *to, const __u8 *bytes, int n)
{
	for (int i = 0; i < n; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
}

/* Writes a value of traceparent: TRACEPARENT_LENGTH bytes. */
static __always_inline void write_value(char *to, const struct span_way *way)
{
	__u8 flags = way->flags;

	to[0] = to[1] = '0';
	to[2] = to[35] = to[52] = '-';
	hex(to + 3, way->trace_id, sizeof(way->trace_id));
	hex(to + 36, way->span_id, sizeof(way->span_id));
	hex(to + 53, &flags, 1);
}
