//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Writes the context of a client's span into its request, as the request is sent: a traceparent
 * header of W3C Trace Context. The libraries' programs have announced the span under a key that is
 * known here: the writer of a connection, or its framer and the stream. */
#include "inject.h"
#include "inject_line.h"
#if defined(__TARGET_ARCH_x86)
#include "inject_frame_amd64.h"
#else
#include "inject_frame_arm64.h"
#endif

/* func (t *transferWriter) writeHeader(w io.Writer, trace *httptrace.ClientTrace) error
 *
 * The function writes the next header lines of a request. The first lines are in the buffer. */
SEC("uprobe")
int inject_line(struct pt_regs *ctx)
{
	__u64 writer = GO_ARG2(ctx), n;
	struct header_line line = { "Traceparent: ", {}, "\r\n" };
	struct operation_key key = {};
	const struct kept_tracestate *state;
	struct inject_offsets *o;
	struct span_key wanted;
	struct span_way way = {};
	struct go_interface owner;
	struct go_slice buf;
	__u32 added;

	/* A client's connection writes to a persistConnWriter, whose word is the address of the
	 * connection (src/net/http/transport.go, dialConn). Another writer that has got the address
	 * of an earlier one has another owner. */
	if (!enter(ctx, &key, &o) || o->writer_wr == ABSENT ||
	    go_read(&owner, writer, o->writer_wr))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_WRITER, writer, owner.data);
	if (!take_announced(&wanted, &way))
		return 0;
	state = find_tracestate(&way);
	write_value(line.value, &way);
	if (o->writer_buf == ABSENT || o->writer_n == ABSENT ||
	    go_read(&buf, writer, o->writer_buf) || go_read(&n, writer, o->writer_n) || n == 0 ||
	    n > (__u64)buf.length || buf.length - n < sizeof(line) ||
	    (n > sizeof(line) &&
	     is_name(buf.data + n - sizeof(line), line.name, sizeof(line.name))))
		goto without;
	added = write_tracestate_line(buf.data + n, buf.length - n - sizeof(line), state, &way);
	n += added;
	if (bpf_probe_write_user((void *)(buf.data + n), &line, sizeof(line)))
		goto without;
	n += sizeof(line);
	if (bpf_probe_write_user((void *)(writer + o->writer_n), &n, sizeof(n)))
		goto without;
	count_written(true, added, state);
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
