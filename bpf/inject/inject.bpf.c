//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Writes the context of a client's span into its request, as it is sent: a traceparent
 * header of W3C Trace Context. The programs of the libraries have noted whose span it is, under what
 * is known here: the writer of a connection, or its framer and the stream. */
#include "arch.h"
#include "counters.h"
#include "go.h"
#include "spancontext.h"
#include "tracestate.h"

struct inject_offsets {
	__u32 writer_buf, writer_n; /* bufio.Writer.buf and .n */
	/* Of net/http's, of its own package's, and of x/net's. */
	struct frame_offsets {
		__u32 stream, block, end_headers; /* HeadersFrameParam */
		__u32 buffer, writer;		  /* Framer.wbuf and .w */
	} bundled, internal, net;
	/* bufWriter.buf or, from grpc 1.84 on, .bufHandle, and .offset. */
	__u32 grpc_buf, grpc_buf_pointer, grpc_n;
};

#define OFFSETS struct inject_offsets
#include "offsets.h"

#define NAME_LENGTH 11	/* traceparent */
#define STATE_LENGTH 10 /* tracestate */
#define VALUE_LENGTH 55 /* of version 00 */

/* Frames of this size are always allowed: RFC 9113, section 4.2. */
#define FRAME_LIMIT 16384

/* How long a state is, as the verifier can see. It may be another one's the next time that it is read. */
static __always_inline __u32 state_length(const struct kept_state *state)
{
	__u32 length = state->length;

	bounded(length);
	return length <= TRACESTATE_LIMIT ? length : 0;
}

/* A length of 1 to `limit`, a power of two, as kernels before 6.8 see that it is not zero. */
static __always_inline __u64 positive(__u64 length, const __u64 limit)
{
	length--;
	bounded(length);
	return (length & (limit - 1)) + 1;
}

/* False: it was not written, or was not the one that belongs to the span any more when it was. */
static __always_inline bool write_state(__u64 to, const struct kept_state *state, __u32 length, const struct span_way *way)
{
	return length && !bpf_probe_write_user((void *)to, state->text, positive(length, TRACESTATE_LIMIT)) &&
	       find_state(way) == state;
}

/* Counts a request that carries its span's context, or not, and that with its trace's state, or not. */
static __always_inline void count_written(bool context, bool state, const struct kept_state *wanted)
{
	count(context ? COUNTER_INJECTED : COUNTER_NOT_INJECTED);
	if (context && wanted && !state)
		count(COUNTER_STATE_NOT_INJECTED);
}

static const char digits[16] = "0123456789abcdef";

static __always_inline void hex(char *to, const __u8 *bytes, int n)
{
	for (int i = 0; i < n; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
}

/* Writes a value of traceparent: VALUE_LENGTH bytes. */
static __always_inline void write_value(char *to, const struct span_way *way)
{
	__u8 flags = way->flags;

	to[0] = to[1] = '0';
	to[2] = to[35] = to[52] = '-';
	hex(to + 3, way->trace_id, sizeof(way->trace_id));
	hex(to + 36, way->span_id, sizeof(way->span_id));
	hex(to + 53, &flags, 1);
}

struct header_line {
	char name[NAME_LENGTH + 2]; /* and ": " */
	char value[VALUE_LENGTH];
	char end[2];
};

/* Writes a line for the state behind that of the context, if there are so many bytes left. Returns how
 * many it took. */
called __u32 write_state_line(__u64 to, __u64 room, const struct kept_state *state, const struct span_way *way)
{
	const char start[STATE_LENGTH + 2] = "Tracestate: ", end[2] = "\r\n";
	__u32 length, size;

	if (!state || !way)
		return 0;
	length = state_length(state);
	size = sizeof(start) + length + sizeof(end);
	if (room < size || bpf_probe_write_user((void *)to, start, sizeof(start)) ||
	    !write_state(to + sizeof(start), state, length, way) ||
	    bpf_probe_write_user((void *)(to + size - sizeof(end)), end, sizeof(end)))
		return 0;
	return size;
}

/* func (t *transferWriter) writeHeader(w io.Writer, trace *httptrace.ClientTrace) error
 *
 * It writes the next of the header lines of a request, whose first ones are in the
 * buffer. */
SEC("uprobe")
int inject_line(struct pt_regs *ctx)
{
	__u64 writer = GO_ARG2(ctx), n;
	struct header_line line = { "Traceparent: ", {}, "\r\n" };
	struct operation_key key = {};
	const struct kept_state *state;
	struct inject_offsets *o;
	struct span_key wanted;
	struct span_way way = {};
	struct go_slice buf;
	__u32 added;

	if (!enter(ctx, &key, &o))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_WRITER, writer, 0);
	if (!take_span(&wanted, &way))
		return 0;
	state = find_state(&way);
	write_value(line.value, &way);
	if (o->writer_buf == ABSENT || o->writer_n == ABSENT || go_read(&buf, writer, o->writer_buf) ||
	    go_read(&n, writer, o->writer_n) || n == 0 || n > (__u64)buf.length || buf.length - n < sizeof(line) ||
	    bpf_probe_write_user((void *)(buf.data + n), &line, sizeof(line)))
		goto without;
	n += sizeof(line);
	added = write_state_line(buf.data + n, buf.length - n, state, &way);
	n += added;
	if (bpf_probe_write_user((void *)(writer + o->writer_n), &n, sizeof(n)))
		goto without;
	count_written(true, added, state);
	return 0;
without:
	count(COUNTER_NOT_INJECTED);
	return 0;
}

/* A literal header field that is not to be indexed: RFC 7541, section 6.2.2. */
struct header_field {
	__u8 kind, name_length;
	char name[NAME_LENGTH];
	__u8 value_length;
	char value[VALUE_LENGTH];
};

static __always_inline bool write_field(const struct span_way *way, __u64 to)
{
	struct header_field field = { 0, NAME_LENGTH, "", VALUE_LENGTH, "" };

	__builtin_memcpy(field.name, "traceparent", NAME_LENGTH);
	write_value(field.value, way);
	return !bpf_probe_write_user((void *)to, &field, sizeof(field));
}

/* The same of a state, up to where its text begins. */
struct state_field {
	__u8 kind, name_length;
	char name[STATE_LENGTH];
	__u8 value_length[4]; /* one to three, as there must be: RFC 7541, section 5.1 */
};
_Static_assert(sizeof(struct state_field) == 16, "its size is no power of two");

#define FULL 127 /* of the first byte of a length */

/* Writes a field for the state, if there are so many bytes left. Returns how many it took. */
called __u32 write_state_field(__u64 to, __u64 room, const struct kept_state *state, const struct span_way *way)
{
	struct state_field field = { 0, STATE_LENGTH, "", {} };
	__u32 length, rest, start = sizeof(field) - 3;

	if (!state || !way)
		return 0;
	length = state_length(state);
	__builtin_memcpy(field.name, "tracestate", STATE_LENGTH);
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
	if (room < start + length || bpf_probe_write_user((void *)to, &field, positive(start, sizeof(field))) ||
	    !write_state(to + start, state, length, way))
		return 0;
	return start + length;
}

static __always_inline const struct frame_offsets *frames_of(const struct inject_offsets *o, bool net, bool internal)
{
	return net ? &o->net : internal ? &o->internal : &o->bundled;
}

/* Writes the fields of a stream's span, if there are so many bytes left. Returns how many it took. */
called __u32 write_fields(__u64 to, __s64 room, const struct span_way *way, const struct kept_state *state)
{
	const __u32 first = sizeof(struct header_field);

	if (!way || room < first || !write_field(way, to))
		return 0;
	return first + write_state_field(to + first, room - first, state, way);
}

static __always_inline __s64 least(__s64 a, __s64 b)
{
	return a < b ? a : b;
}

/* Adds the fields behind the header block, which is the end of a slice, if the slice has room for them,
 * and has the slice end behind them. Returns how many bytes that took, of `limit` at the most. */
static __always_inline __u32 inject_behind(const struct span_way *way, const struct kept_state *state, __s64 limit,
					   const struct go_slice *slice, __u64 slice_at)
{
	__u64 length;
	__u32 added;

	if (slice->length <= 0)
		return 0;
	added = write_fields(slice->data + slice->length, least(limit, slice->capacity - slice->length), way, state);
	length = slice->length + added;
	if (!added || bpf_probe_write_user((void *)(slice_at + __builtin_offsetof(struct go_slice, length)), &length, sizeof(length)))
		return 0;
	return added;
}

#if defined(__TARGET_ARCH_x86)
/* Finds where the writer of a framer goes on: what is behind is of no use to anybody before. 0: it
 * has no buffer at the moment, or none that is known. */
static __always_inline __u64 unused_buffer(const struct inject_offsets *o, const struct span_way *way, __u64 writer_at, __u64 *room)
{
	struct go_interface writer;
	struct go_slice buf;
	__u64 n, at;

	if (go_read(&writer, writer_at, 0) || !writer.data)
		return 0;
	at = writer.data + o->writer_buf;
	if (way->writer == WRITER_BUFIO) {
		if (o->writer_buf == ABSENT || o->writer_n == ABSENT || go_read(&n, writer.data, o->writer_n))
			return 0;
	} else {
		if (o->grpc_n == ABSENT || go_read(&n, writer.data, o->grpc_n))
			return 0;
		if (o->grpc_buf != ABSENT)
			at = writer.data + o->grpc_buf;
		else if (o->grpc_buf_pointer == ABSENT || go_read(&at, writer.data, o->grpc_buf_pointer) || !at)
			return 0;
	}
	if (go_read(&buf, at, 0) || n > (__u64)buf.length)
		return 0;
	*room = buf.length - n;
	return buf.data + n;
}

#define PIECE 64
#define MOVED_LIMIT 1024 /* bytes of a header block that is moved */

called bool copy_block(__u64 to, __u64 from, __u64 length)
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

/* A buffer that few requests have used is a small one. Then the block is moved to where the
 * frame will be written in a moment, which is after it was put together elsewhere. The parameters are on the
 * stack, and what they point to is held by the writer, so that Go's garbage collector need not know. */
static __always_inline __u32 inject_elsewhere(const struct inject_offsets *o, const struct span_way *way,
					      const struct kept_state *state, __s64 limit, __u64 writer_at,
					      struct go_slice *block, __u64 block_at)
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
 * The parameters have more words than there are registers, so they are on the stack. The header block
 * is encoded, at the end of a buffer that belongs to whoever holds the connection's lock,
 * which is us. The next to be encoded begins it anew. */
static __always_inline int inject_field(struct pt_regs *ctx, bool net, bool internal)
{
	__u64 parameters = GO_STACK_ARGS(ctx);
	const struct frame_offsets *at;
	struct operation_key key = {};
	struct inject_offsets *o;
	struct span_way way = {};
	struct span_key wanted;
	const struct kept_state *state = NULL;
	struct go_slice block;
	__u32 stream, added = 0;
	__u8 end_headers;
	__s64 limit;

	if (!enter(ctx, &key, &o))
		return 0;
	at = frames_of(o, net, internal);
	if (at->stream == ABSENT || at->block == ABSENT || at->end_headers == ABSENT || go_read(&stream, parameters, at->stream))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_FRAME, GO_ARG0(ctx), stream);
	if (!take_span(&wanted, &way))
		return 0;
	if (!go_read(&block, parameters, at->block) && !go_read(&end_headers, parameters, at->end_headers) && end_headers) {
		state = find_state(&way);
		limit = FRAME_LIMIT - block.length;
		added = inject_behind(&way, state, limit, &block, parameters + at->block);
		if (!added && at->writer != ABSENT)
			added = inject_elsewhere(o, &way, state, limit, GO_ARG0(ctx) + at->writer, &block, parameters + at->block);
	}
	count_written(added, added > sizeof(struct header_field), state);
	return 0;
}
#else
#define FRAME_HEADER 9
#define FRAME_HEADERS 1	   /* type: RFC 9113, section 6.2 */
#define FRAME_END_HEADERS 4 /* flags */
#define FRAME_PADDED 8

/* func (f *Framer) endWrite() error
 *
 * There are more registers, which programs cannot write. Here the frame is in a buffer of the
 * framer's, which belongs to whoever holds the connection's lock, and its length is not in it yet. */
static __always_inline int inject_field(struct pt_regs *ctx, bool net, bool internal)
{
	__u64 framer = GO_ARG0(ctx);
	const struct frame_offsets *at;
	struct operation_key key = {};
	struct inject_offsets *o;
	__u8 head[FRAME_HEADER];
	struct span_way way = {};
	struct span_key wanted;
	const struct kept_state *state = NULL;
	struct go_slice frame;
	__u32 stream, added = 0;

	if (!enter(ctx, &key, &o))
		return 0;
	at = frames_of(o, net, internal);
	if (at->buffer == ABSENT || go_read(&frame, framer, at->buffer) || frame.length < FRAME_HEADER ||
	    go_read(&head, frame.data, 0) || head[3] != FRAME_HEADERS)
		return 0;
	stream = (head[5] & 0x7f) << 24 | head[6] << 16 | head[7] << 8 | head[8];
	wanted = key_in(key.tgid, key.generation, KEY_FRAME, framer, stream);
	if (!take_span(&wanted, &way))
		return 0;
	if (head[4] & FRAME_END_HEADERS && !(head[4] & FRAME_PADDED)) {
		state = find_state(&way);
		added = inject_behind(&way, state, FRAME_HEADER + FRAME_LIMIT - frame.length, &frame, framer + at->buffer);
	}
	count_written(added, added > sizeof(struct header_field), state);
	return 0;
}
#endif

SEC("uprobe")
int inject_bundled_field(struct pt_regs *ctx)
{
	return inject_field(ctx, false, false);
}

SEC("uprobe")
int inject_internal_field(struct pt_regs *ctx)
{
	return inject_field(ctx, false, true);
}

SEC("uprobe")
int inject_net_field(struct pt_regs *ctx)
{
	return inject_field(ctx, true, false);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
