/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* HEADERS frames on amd64: the parameters of a frame are on the stack. */
#pragma once

#include "inject_field.h"

/* Finds the end of the used part in the buffer of a framer's writer. Nobody uses the bytes behind
 * it yet. 0: there is no buffer at the moment, or none of a known type. */
static __always_inline __u64 unused_buffer(const struct inject_offsets *o,
					   const struct span_way *way, __u64 writer_at, __u64 *room)
{
	struct go_interface writer;
	struct go_slice buf;
	__u64 n, at;

	if (go_read(&writer, writer_at, 0) || !writer.data)
		return 0;
	at = writer.data + o->writer_buf;
	if (way->writer == WRITER_BUFIO) {
		if (o->writer_buf == ABSENT || o->writer_n == ABSENT ||
		    go_read(&n, writer.data, o->writer_n))
			return 0;
	} else {
		if (o->own_n == ABSENT || go_read(&n, writer.data, o->own_n))
			return 0;
		if (o->own_buf != ABSENT)
			at = writer.data + o->own_buf;
		else if (o->own_buf_pointer == ABSENT ||
			 go_read(&at, writer.data, o->own_buf_pointer) || !at)
			return 0;
	}
	if (go_read(&buf, at, 0) || n > (__u64)buf.length)
		return 0;
	*room = buf.length - n;
	return buf.data + n;
}

#define PIECE 64
#define MOVED_LIMIT 1024 /* bytes of a header block that a program moves */

BPF_SUBPROGRAM bool copy_block(__u64 to, __u64 from, __u64 length)
{
	__u8 piece[PIECE];

#pragma clang loop unroll(disable)
	for (__u64 at = 0; at < MOVED_LIMIT; at += PIECE) {
		__u64 n = length - at;

		if (at >= length)
			return true;
		if (n > PIECE)
			n = PIECE;
		n = positive(n, PIECE);
		if (bpf_probe_read_user(piece, n, (const void *)(from + at)) ||
		    bpf_probe_write_user((void *)(to + at), piece, n))
			return false;
	}
	return true;
}

/* Moves the block to the place where the writer puts the frame in a moment. A buffer that few
 * requests have used is a small one, without room for the fields. The frame is put together
 * elsewhere first, so the writer does not disturb the block. The pointer is on the stack, and the
 * writer holds the memory: Go's garbage collector need not know. */
static __always_inline __u32 inject_elsewhere(const struct inject_offsets *o,
					      const struct span_way *way,
					      const struct kept_tracestate *state, __s64 limit,
					      __u64 writer_at, struct go_slice *block,
					      __u64 block_at)
{
	__u64 room = 0, to = unused_buffer(o, way, writer_at, &room);
	__u32 added;

	if (!to || block->length <= 0 || block->length > MOVED_LIMIT ||
	    (__s64)room < block->length + (__s64)sizeof(struct header_field) ||
	    !copy_block(to, block->data, block->length))
		return 0;
	added = write_fields(to + block->length, least(limit, room - block->length), way, state);
	block->data = to;
	block->length += added;
	block->capacity = block->length;
	if (!added || bpf_probe_write_user((void *)block_at, block, sizeof(*block)))
		return 0;
	return added;
}

/* func (f *Framer) WriteHeaders(p HeadersFrameParam) error
 *
 * The parameters have more words than there are registers, so they are on the stack. The header
 * block is encoded, at the end of a buffer of the connection. The probed goroutine holds the
 * connection's lock, and so the buffer. The next block begins the buffer anew. */
static __always_inline int inject_field(struct pt_regs *ctx, bool net, bool internal)
{
	__u64 parameters = GO_STACK_ARGS(ctx);
	const struct frame_offsets *at;
	struct operation_key key = {};
	struct inject_offsets *o;
	struct span_way way = {};
	struct span_key wanted;
	const struct kept_tracestate *state = NULL;
	struct go_slice block;
	__u32 stream, added = 0;
	__u8 end_headers;
	__s64 limit;

	if (!enter(ctx, &key, &o))
		return 0;
	at = frames_of(o, net, internal);
	if (at->stream == ABSENT || at->block == ABSENT || at->end_headers == ABSENT ||
	    go_read(&stream, parameters, at->stream))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_FRAME, GO_ARG0(ctx), stream);
	if (!take_announced(&wanted, &way))
		return 0;
	if (!go_read(&block, parameters, at->block) &&
	    !go_read(&end_headers, parameters, at->end_headers) && end_headers &&
	    !has_field(&block)) {
		state = find_tracestate(&way);
		limit = FRAME_LIMIT - block.length;
		added = inject_behind(&way, state, limit, &block, parameters + at->block);
		if (!added && at->writer != ABSENT)
			added = inject_elsewhere(o, &way, state, limit, GO_ARG0(ctx) + at->writer,
						 &block, parameters + at->block);
	}
	count_written(added, added > sizeof(struct header_field), state);
	return 0;
}
