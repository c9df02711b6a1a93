//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Writes the context of a client's span into its request, as it is sent: a traceparent
 * header of W3C Trace Context. The programs of the libraries have noted whose span it is, under what
 * is known here: the writer of a connection, or its framer and the stream. */
#include "arch.h"
#include "counters.h"
#include "go.h"
#include "spancontext.h"

struct inject_offsets {
	__u32 writer_buf, writer_n; /* bufio.Writer.buf and .n */
	/* HeadersFrameParam, which is passed on the stack: of net/http's, of its own
	 * package's, and of x/net's. */
	struct frame_offsets {
		__u32 stream, block, end_headers;
	} bundled, internal, net;
};

#define OFFSETS struct inject_offsets
#include "offsets.h"

#define NAME_LENGTH 11	/* traceparent */
#define VALUE_LENGTH 55 /* of version 00 */

/* Frames of this size are always allowed: RFC 9113, section 4.2. */
#define FRAME_LIMIT 16384

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
	struct inject_offsets *o;
	struct span_key wanted;
	struct span_way way = {};
	struct go_slice buf;

	if (!enter(ctx, &key, &o))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_WRITER, writer, 0);
	if (!take_span(&wanted, &way))
		return 0;
	write_value(line.value, &way);
	if (o->writer_buf == ABSENT || o->writer_n == ABSENT || go_read(&buf, writer, o->writer_buf) ||
	    go_read(&n, writer, o->writer_n) || n == 0 || n > (__u64)buf.length || buf.length - n < sizeof(line) ||
	    bpf_probe_write_user((void *)(buf.data + n), &line, sizeof(line)))
		goto without;
	n += sizeof(line);
	if (bpf_probe_write_user((void *)(writer + o->writer_n), &n, sizeof(n)))
		goto without;
	count(COUNTER_INJECTED);
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

/* func (f *Framer) WriteHeaders(p HeadersFrameParam) error
 *
 * The header block is encoded, at the end of a buffer that belongs to whoever holds the
 * connection's lock, which is us. The next to be encoded begins it anew. */
static __always_inline int inject_field(struct pt_regs *ctx, bool net, bool internal)
{
	struct header_field field = { 0, NAME_LENGTH, "", VALUE_LENGTH, "" };
	__u64 parameters = GO_STACK_ARGS(ctx), length;
	const struct frame_offsets *at;
	struct operation_key key = {};
	struct inject_offsets *o;
	struct span_key wanted;
	struct go_slice block;
	struct span_way way = {};
	__u8 end_headers;
	__u32 stream;

	if (!enter(ctx, &key, &o))
		return 0;
	at = net ? &o->net : internal ? &o->internal : &o->bundled;
	if (at->stream == ABSENT || at->block == ABSENT || at->end_headers == ABSENT || go_read(&stream, parameters, at->stream))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_FRAME, GO_ARG0(ctx), stream);
	if (!take_span(&wanted, &way))
		return 0;
	__builtin_memcpy(field.name, "traceparent", NAME_LENGTH);
	write_value(field.value, &way);
	if (go_read(&block, parameters, at->block) || go_read(&end_headers, parameters, at->end_headers) || !end_headers ||
	    block.length <= 0 || block.length > FRAME_LIMIT - (__s64)sizeof(field) ||
	    block.capacity - block.length < (__s64)sizeof(field) ||
	    bpf_probe_write_user((void *)(block.data + block.length), &field, sizeof(field)))
		goto without;
	length = block.length + sizeof(field);
	if (bpf_probe_write_user((void *)(parameters + at->block + __builtin_offsetof(struct go_slice, length)), &length,
				 sizeof(length)))
		goto without;
	count(COUNTER_INJECTED);
	return 0;
without:
	count(COUNTER_NOT_INJECTED);
	return 0;
}

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
