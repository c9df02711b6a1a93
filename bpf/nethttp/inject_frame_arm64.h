/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* HEADERS frames on arm64: a frame lies in a buffer of its framer. */
#pragma once

#include "inject_field.h"

#define FRAME_HEADER 9
#define FRAME_HEADERS 1	    /* type: RFC 9113, section 6.2 */
#define FRAME_END_HEADERS 4 /* flags */
#define FRAME_PADDED 8

/* func (f *Framer) endWrite() error
 *
 * The parameters of WriteHeaders are in registers, which programs cannot write. At endWrite the
 * frame is in a buffer of the framer, and its length is not in there yet. The probed goroutine
 * holds the connection's lock, and so the buffer. */
static __always_inline int inject_field(struct pt_regs *ctx, bool net, bool internal)
{
	__u64 framer = GO_ARG0(ctx);
	const struct frame_offsets *at;
	struct operation_key key = {};
	struct inject_offsets *o;
	__u8 head[FRAME_HEADER];
	struct span_way way = {};
	struct span_key wanted;
	const struct kept_tracestate *state = NULL;
	struct go_slice frame;
	__u32 stream, added = 0;

	if (!enter(ctx, &key, &o))
		return 0;
	at = frames_of(o, net, internal);
	if (at->buffer == ABSENT || go_read(&frame, framer, at->buffer) ||
	    frame.length < FRAME_HEADER || go_read(&head, frame.data, 0) ||
	    head[3] != FRAME_HEADERS)
		return 0;
	stream = (head[5] & 0x7f) << 24 | head[6] << 16 | head[7] << 8 | head[8];
	wanted = key_in(key.tgid, key.generation, KEY_FRAME, framer, stream);
	if (!take_announced(&wanted, &way))
		return 0;
	if (head[4] & FRAME_END_HEADERS && !(head[4] & FRAME_PADDED) && !has_field(&frame)) {
		state = find_tracestate(&way);
		added = inject_behind(&way, state, FRAME_HEADER + FRAME_LIMIT - frame.length,
				      &frame, framer + at->buffer);
	}
	count_written(added, added > sizeof(struct header_field), state);
	return 0;
}
