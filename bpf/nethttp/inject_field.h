/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The header fields of HTTP/2. */
#pragma once

#include "inject.h"

/* Each peer takes frames of this size: RFC 9113, section 4.2. */
#define FRAME_LIMIT 16384

/* A literal header field without indexing: RFC 7541, section 6.2.2. */
struct header_field {
	__u8 kind, name_length;
	char name[TRACEPARENT_NAME_LENGTH];
	__u8 value_length;
	char value[TRACEPARENT_LENGTH];
};

static __always_inline bool write_field(const struct span_way *way, __u64 to)
{
	struct header_field field = { 0, TRACEPARENT_NAME_LENGTH, "", TRACEPARENT_LENGTH, "" };

	__builtin_memcpy(field.name, "traceparent", TRACEPARENT_NAME_LENGTH);
	write_value(field.value, way);
	return !bpf_probe_write_user((void *)to, &field, sizeof(field));
}

/* The same for a tracestate, up to the start of its text. */
struct tracestate_field {
	__u8 kind, name_length;
	char name[TRACESTATE_NAME_LENGTH];
	__u8 value_length[4]; /* one to three bytes, as RFC 7541 demands in section 5.1 */
};
_Static_assert(sizeof(struct tracestate_field) == 16, "its size is no power of two");

#define FULL 127 /* of the first byte of a length */

/* Writes a field for the tracestate, if there is room. Returns the count of bytes. */
BPF_SUBPROGRAM __u32 write_tracestate_field(__u64 to, __u64 room,
					    const struct kept_tracestate *state,
					    const struct span_way *way)
{
	struct tracestate_field field = { 0, TRACESTATE_NAME_LENGTH, "", {} };
	__u32 length, rest, start = sizeof(field) - 3;

	if (!state || !way)
		return 0;
	length = tracestate_length(state);
	__builtin_memcpy(field.name, "tracestate", TRACESTATE_NAME_LENGTH);
	field.value_length[0] = length;
	if (length >= FULL) {
		rest = length - FULL;
		field.value_length[0] = FULL;
		field.value_length[1] = rest;
		start++;
		if (rest > FULL) {
			field.value_length[1] = rest | 0x80;
			field.value_length[2] = rest >> 7;
			start++;
		}
	}
	if (room < start + length ||
	    bpf_probe_write_user((void *)to, &field, positive(start, sizeof(field))) ||
	    !write_tracestate(to + start, state, length, way))
		return 0;
	return start + length;
}

static __always_inline const struct frame_offsets *frames_of(const struct inject_offsets *o,
							     bool net, bool internal)
{
	return net ? &o->net : internal ? &o->internal : &o->bundled;
}

/* Writes the fields for a stream's span, if there is room. The traceparent is the last: its place
 * tells another receiver that the request has one. Returns the count of bytes. */
BPF_SUBPROGRAM __u32 write_fields(__u64 to, __s64 room, const struct span_way *way,
				  const struct kept_tracestate *state)
{
	const __u32 last = sizeof(struct header_field);
	__u32 added;

	if (!way || room < last)
		return 0;
	added = write_tracestate_field(to, room - last, state, way);
	return write_field(way, to + added) ? added + last : 0;
}

/* Whether a header block ends with a traceparent that another receiver has written. */
static __always_inline bool has_field(const struct go_slice *block)
{
	const __u32 last = sizeof(struct header_field);

	return block->length >= last &&
	       is_name(block->data + block->length - last +
			       __builtin_offsetof(struct header_field, name),
		       "traceparent", TRACEPARENT_NAME_LENGTH);
}

static __always_inline __s64 least(__s64 a, __s64 b)
{
	return a < b ? a : b;
}

/* Adds the fields behind the header block at the end of a slice, if the slice has capacity for
 * them. Moves the end of the slice. Returns the count of bytes, which is `limit` at the most. */
static __always_inline __u32 inject_behind(const struct span_way *way,
					   const struct kept_tracestate *state, __s64 limit,
					   const struct go_slice *slice, __u64 slice_at)
{
	__u64 length;
	__u32 added;

	if (slice->length <= 0)
		return 0;
	added = write_fields(slice->data + slice->length,
			     least(limit, slice->capacity - slice->length), way, state);
	length = slice->length + added;
	if (!added ||
	    bpf_probe_write_user((void *)(slice_at + __builtin_offsetof(struct go_slice, length)),
				 &length, sizeof(length)))
		return 0;
	return added;
}
