//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Client spans of google.golang.org/grpc.
 *
 * A call is one clientStream, unary calls included. The programs see a call four times:
 *
 *	start_call	the program asks for a stream
 *	announce_call	a transport gives the stream an id, before newClientStream returns
 *	bind_call	there is a stream, or an error: both on the goroutine of the caller
 *	end_call	the stream is finished, on any goroutine
 *
 * Until a call has a stream, its goroutine is its key. Then the address of the stream is the key,
 * since a goroutine may have many streams, and hand them on. Attempts that gRPC repeats by itself
 * belong to one call. */
#include "announcement.h"
#include "call.h"
#include "captured.h"
#include "client_end.h"
#include "handover.h"
#include "outgoing.h"

/* func newClientStream(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts
 * ...CallOption) (_ ClientStream, err error) */
SEC("uprobe")
int start_call(struct pt_regs *ctx)
{
	struct go_string method = { GO_ARG4(ctx), GO_ARG5(ctx) }, target;
	struct go_interface context = { GO_ARG0(ctx), GO_ARG1(ctx) };
	struct caller caller = { .g = GO_G(ctx) };
	struct operation_key key = {};
	struct call_offsets *o;
	struct call_span *span;
	__u64 depth;
	bool noted;

	if (!enter(ctx, &key, &o))
		return 0;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid) ||
	    !frame_depth(ctx, o->g_stack + o->stack_hi, &depth)) {
		lose_without_entry(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (!add_entry(&key, &empty_operation)) {
		/* The earlier call panicked, or has this call made within. */
		lose_unfinished(&key);
		if (!add_entry(&key, &empty_operation)) {
			lose_without_entry(&key, COUNTER_LOST_ACTIVE_SPANS_FULL);
			return 0;
		}
	}
	span = bpf_map_lookup_elem(&operations, &key);
	if (!span) {
		count(COUNTER_OPERATIONS); /* swept between the two calls, and counted there */
		return 0;
	}
	if (o->site != ABSENT)
		span->text = GO_PC(ctx) - o->site;
	span->context = context.data;
	if (says_parent(span, o, &context, 0)) {
		discard_new_operation(&key, COUNTER_SELF_TRACED);
		return 0;
	}
	if (!COPY(span, method, &method, METHOD_LIMIT)) {
		lose_new_operation(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (go_read(&target, GO_ARG3(ctx), o->conn_target) ||
	    !COPY(span, target, &target, TARGET_LIMIT))
		span->partial = 1;
	span->depth = depth;
	caller.goid = key.goid;
	caller.text = span->text;
	noted = inherit_inside(&span->head, &key, &caller, &o->parent, &context);
	count(COUNTER_OPERATIONS);
	start_head(ctx, &span->head, &key);
	if (noted)
		note_caller(&key, &span->head);
	return 0;
}

/* The first function that (*http2Client).NewStream makes, and calls under a lock.
 *
 * The function gives the stream its id, the next of the transport. Or it finds that no stream can
 * begin now, and the call waits. Another call then gets that id. This other call may not be traced,
 * and must not be taken for the one that waits. The transport and the stream are among the captured
 * variables. Another goroutine, behind the same lock, sends the transport's frames. */
SEC("uprobe")
int announce_call(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct connection connection = {};
	struct captured found = {};
	__u64 framer;
	struct span_key frame;
	struct call_offsets *o = NULL;
	struct call_span *span = running_operation(ctx, &key, &o);
	__u32 id;

	if (!o || o->announce_site == ABSENT || o->transport_conn == ABSENT ||
	    o->transport_next_id == ABSENT)
		return 0;
	find_captured(o, GO_PC(ctx) - o->announce_site, GO_CLOSURE(ctx), &found);
	/* A watcher of calls, such as a stats handler, may have added to the context by now. */
	if (span && found.stream && says_parent(span, o, &found.context, span->context)) {
		discard_operation(&key, COUNTER_SELF_TRACED);
		span = NULL;
	}
	if (!found.fd || go_read(&id, found.transport, o->transport_next_id)) {
		if (span && !isolated)
			count(COUNTER_DEGRADED_UNKNOWN_CONNECTION);
		if (span && injects)
			count(COUNTER_NOT_INJECTED);
		return 0;
	}
	if (injects && o->transport_framer != ABSENT && o->framer_fr != ABSENT &&
	    !go_read(&framer, found.transport, o->transport_framer) &&
	    !go_read(&framer, framer, o->framer_fr)) {
		frame = key_in(key.tgid, key.generation, KEY_FRAME, framer, id);
		if (span)
			announce_frame(&frame, span->head.trace_id, span->head.span_id,
				       span->head.flags, *(const __u64 *)span->head.parent_id,
				       WRITER_OWN);
		else
			release_span(&frame);
	}
	if (!span) {
		if (find_connection(&o->conn, found.fd, END_CLIENT, &connection)) {
			frame = request_key(&connection, id);
			release_span(&frame);
		}
		return 0;
	}
	if (!read_connection(&o->conn, found.fd, END_CLIENT, &connection))
		return 0;
	span->announced = request_key(&connection, id);
	announce(&connection, id, span->head.trace_id, span->head.span_id, span->head.flags);
	return 0;
}

/* The return from newClientStream. */
SEC("uprobe")
int bind_call(struct pt_regs *ctx)
{
	struct returned returned = {
		.stream = { GO_RESULT0(ctx), GO_RESULT1(ctx) },
		.error = { GO_RESULT2(ctx), GO_RESULT3(ctx) },
	};
	struct operation_key key = {};
	struct call_offsets *o;
	struct call_span *span = returning_operation(ctx, &key, &o);

	if (!span)
		return 0;
	if (frame_depth(ctx, o->g_stack + o->stack_hi, &returned.depth))
		return bind_stream(&key, span, o, &returned);
	lose_unfinished(&key);
	return 0;
}

/* The end of newClientStream's deferred function, which has the results in its caller's frame: the
 * same as in bpf/nethttp. */
SEC("uprobe")
int bind_deferring_call(struct pt_regs *ctx)
{
	__u64 frame;
	struct returned returned = {};
	struct operation_key key = {};
	const struct deferring_offsets *at;
	struct call_offsets *o;
	struct call_span *span = returning_operation(ctx, &key, &o);

	if (!span || o->deferring.frame == ABSENT)
		return 0;
	at = &o->deferring;
	frame = GO_SP(ctx) + at->above;
	if (!deferring_depth(ctx, o->g_stack + o->stack_hi, at->above, at->frame,
			     &returned.depth)) {
		lose_unfinished(&key);
		return 0;
	}
	if (span->depth != returned.depth)
		return 0; /* newClientStream panics, or another call is made within */
	if (go_read(&returned.stream.type, frame, at->stream_type) ||
	    go_read(&returned.stream.data, frame, at->stream_data) ||
	    go_read(&returned.error.type, frame, at->error_type) ||
	    go_read(&returned.error.data, frame, at->error_data)) {
		lose_operation(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	return bind_stream(&key, span, o, &returned);
}

/* func (cs *clientStream) finish(err error) */
SEC("uprobe")
int end_call(struct pt_regs *ctx)
{
	struct go_interface error = { GO_ARG1(ctx), GO_ARG2(ctx) };
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {}, making = {};
	struct call_offsets *o;
	struct call_span *span;

	if (!enter(ctx, &key, &o))
		return 0;
	key.goid = GO_ARG0(ctx);
	span = bpf_map_lookup_elem(&operations, &key);
	if (!span || !claim(&span->claim, &key))
		return 0;
	/* A stream that is finished while newClientStream makes it has no call of its own yet. This
	 * call was left by an earlier stream at the same address. */
	if (!go_read(&making.goid, GO_G(ctx), o->g_goid)) {
		making.tgid = key.tgid;
		making.generation = key.generation;
		if (bpf_map_lookup_elem(&operations, &making)) {
			lose_unfinished(&key);
			return 0;
		}
	}
	if (!read_call_peer(span, o, key.goid))
		span->partial = 1;
	return finish_call(&key, span, o, &error, now);
}

/* The types by which Go decodes records. */
EXPORT_TYPE(enum, status_code);
EXPORT_TYPE(enum, text_limit);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
