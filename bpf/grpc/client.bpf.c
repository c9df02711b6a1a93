//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Client spans of google.golang.org/grpc.
 *
 * A call is one clientStream, unary calls included. It is seen four times:
 *
 *	start_call	a stream is asked for
 *	announce_call	a transport gives it an id, on its way into start_call's return
 *	bind_call	there is one, or an error: both on the goroutine of the caller
 *	end_call	the stream is finished, by whom- and wherever
 *
 * Until it has a stream, a call is known by its goroutine; then by the address of
 * the stream, since a goroutine may have many of them, and hand them on. Attempts
 * that gRPC repeats by itself belong to one call. */
#include "call.h"
#include "outgoing.h"

#define OPERATION struct call_span
#define OFFSETS struct call_offsets
#include "operation.h"

/* func newClientStream(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts ...CallOption) (_ ClientStream, err error) */
SEC("uprobe")
int start_call(struct pt_regs *ctx)
{
	struct go_string method = { GO_ARG4(ctx), GO_ARG5(ctx) }, target;
	struct go_interface context = { GO_ARG0(ctx), GO_ARG1(ctx) };
	struct operation_key key = {};
	struct call_offsets *o;
	struct call_span *span;
	__u64 depth;

	if (!enter(ctx, &key, &o))
		return 0;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid) || !frame_depth(ctx, o->g_stack + o->stack_hi, &depth)) {
		lose(COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (bpf_map_update_elem(&operations, &key, &empty_operation, BPF_NOEXIST)) {
		/* One that panicked, or one that has another made within. */
		remove_unfinished(&key);
		if (bpf_map_update_elem(&operations, &key, &empty_operation, BPF_NOEXIST)) {
			lose(COUNTER_LOST_MAP_FULL);
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
		give_up(&key, COUNTER_SELF_TRACED);
		return 0;
	}
	if (!COPY(span, method, &method, METHOD_LIMIT)) {
		give_up(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (go_read(&target, GO_ARG3(ctx), o->conn_target) || !COPY(span, target, &target, TARGET_LIMIT))
		span->partial = 1;
	span->depth = depth;
	inherit_inside(&span->head, &key, GO_G(ctx), key.goid, &o->parent, span->text, &context);
	count(COUNTER_OPERATIONS);
	start_head(ctx, &span->head, &key);
	return 0;
}

/* Words of a closure that are looked at. */
#define MAX_CAPTURED 12

/* What announce_call looks for. */
struct captured {
	__u64 transport, stream; /* addresses; 0: not found */
	__u64 fd;
	struct go_interface context;
};

/* Looks at a variable that was captured, whether it is what is not found yet. False: there is none. */
called bool look_at_captured(const struct call_offsets *o, __u64 text, __u64 closure, __u32 i, struct captured *found)
{
	__u64 word;

	if (!o || !found || go_read(&word, closure, i * sizeof(word)))
		return false;
	if (!found->stream && is_stream(o, text, word, &found->context))
		found->stream = word;
	if (!found->fd) {
		found->fd = fd_of(&o->conn, text, word + o->transport_conn);
		found->transport = word;
	}
	return true;
}

/* Finds the transport and the stream. They are captured in the same places each time, as the compiler has
 * laid them out: those come first where they were found before. */
called int find_captured(struct call_offsets *o, __u64 text, __u64 closure, struct captured *found)
{
	bool transport, stream;
	__u64 word;

	if (!o || !found)
		return 0;
	if (o->captured_stream && !go_read(&word, closure, o->captured_stream * sizeof(word)) &&
	    is_stream(o, text, word, &found->context))
		found->stream = word;
	if (o->captured_transport && !go_read(&found->transport, closure, o->captured_transport * sizeof(word)))
		found->fd = fd_of(&o->conn, text, found->transport + o->transport_conn);
#pragma clang loop unroll(disable)
	for (__u32 i = 1; i < MAX_CAPTURED; i++) {
		if (found->fd && found->stream)
			break;
		transport = found->fd;
		stream = found->stream;
		if (!look_at_captured(o, text, closure, i, found))
			break;
		if (!transport && found->fd)
			o->captured_transport = i;
		if (!stream && found->stream)
			o->captured_stream = i;
	}
	return 0;
}

/* The first function that (*http2Client).NewStream makes to be called under a lock: it gives the
 * stream its id, the next of the transport, or finds that there is none to be had
 * now, and the call waits: then another one gets that id, which may be none of ours, and must not be taken for
 * this one. The transport and the stream are among the variables that it has captured. What the transport sends
 * is sent by another goroutine, behind the same lock. */
SEC("uprobe")
int announce_call(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct connection connection = {};
	struct captured found = {};
	__u64 framer;
	struct span_key frame;
	struct call_offsets *o = NULL;
	struct call_span *span = running(ctx, &key, &o);
	__u32 id;

	if (!o || o->announce_site == ABSENT || o->transport_conn == ABSENT || o->transport_next_id == ABSENT)
		return 0;
	find_captured(o, GO_PC(ctx) - o->announce_site, GO_CLOSURE(ctx), &found);
	/* What watches calls, such as a stats handler, may have added to the context by now. */
	if (span && found.stream && says_parent(span, o, &found.context, span->context)) {
		remove(&key, COUNTER_SELF_TRACED);
		span = NULL;
	}
	if (!found.fd || go_read(&id, found.transport, o->transport_next_id)) {
		if (span && !isolated)
			count(COUNTER_CONNECTION_UNKNOWN);
		if (span && injects)
			count(COUNTER_NOT_INJECTED);
		return 0;
	}
	if (injects && o->transport_framer != ABSENT && o->framer_fr != ABSENT &&
	    !go_read(&framer, found.transport, o->transport_framer) && !go_read(&framer, framer, o->framer_fr)) {
		frame = key_in(key.tgid, key.generation, KEY_FRAME, framer, id);
		if (span)
			note_frame(&frame, span->head.trace_id, span->head.span_id, span->head.flags,
				   *(const __u64 *)span->head.parent_id, WRITER_GRPC);
		else
			forget_span(&frame);
	}
	if (!span) {
		if (find_connection(&o->conn, found.fd, END_CLIENT, &connection)) {
			frame = request_key(&connection, id);
			forget_span(&frame);
		}
		return 0;
	}
	if (!read_connection(&o->conn, found.fd, END_CLIENT, &connection))
		return 0;
	span->announced = request_key(&connection, id);
	announce(&connection, id, span->head.trace_id, span->head.span_id, span->head.flags);
	return 0;
}

/* Ends a call that was claimed, with an error or without. */
static __always_inline int end(const struct operation_key *key, struct call_span *span, const struct call_offsets *o,
			       const struct go_interface *error, __u64 now)
{
	struct go_string name;

	span->code = error_code(&o->status, o->conn.itab_fun, span->text, error);
	span->failed = span->code >= CODE_UNKNOWN;
	if (span->code == CODE_UNREADABLE)
		span->partial = 1;
	/* A name that nobody has looked at may lie in a page that is not there. */
	if (span->code == CODE_NONE && (!span->text || !type_name(&o->type, span->text, error, &name) ||
					!COPY(span, error, &name, ERROR_LIMIT)))
		span->partial = 1;
	if (span->partial)
		count(COUNTER_PARTIAL_UNREADABLE);
	/* Who was answered was found; what failed may yet arrive. */
	if (span->announced.key && span->code == CODE_OK)
		move_span(&span->announced, way_state(span->head.span_id, WAY_ANNOUNCED), WAY_ENDED);
	span->head.end = now;
	finish(key, span, span->used);
	return 0;
}

/* What newClientStream returns, and how deep in the stack its frame is: frame_depth. */
struct returned {
	struct go_interface stream, error;
	__u64 depth;
};

/* From here on a call is known by its stream. */
called int bind(struct operation_key *key, struct call_span *span, const struct call_offsets *o,
		const struct returned *returned)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key by_stream;

	if (!key || !span || !o || !returned || span->depth != returned->depth)
		return 0; /* another's, that was replaced by this one */
	if (returned->error.type)
		return end(key, span, o, &returned->error, now);
	by_stream = *key;
	by_stream.goid = stream_of(o, span->text, &returned->stream);
	if (!by_stream.goid) {
		remove(key, COUNTER_LOST_UNSUPPORTED);
		return 0;
	}
	span->head.g = 0;
	span->claim = claim_of(&by_stream);
	/* What another call has left behind there was collected unfinished. */
	if (bpf_map_update_elem(&operations, &by_stream, span, BPF_NOEXIST)) {
		remove_unfinished(&by_stream);
		if (bpf_map_update_elem(&operations, &by_stream, span, BPF_NOEXIST)) {
			remove(key, COUNTER_LOST_MAP_FULL);
			return 0;
		}
	}
	/* Swept meanwhile, and counted: there must not be two of it. */
	if (bpf_map_delete_elem(&operations, key))
		bpf_map_delete_elem(&operations, &by_stream);
	return 0;
}

/* The same function returns. */
SEC("uprobe")
int bind_call(struct pt_regs *ctx)
{
	struct returned returned = {
		.stream = { GO_RESULT0(ctx), GO_RESULT1(ctx) },
		.error = { GO_RESULT2(ctx), GO_RESULT3(ctx) },
	};
	struct operation_key key = {};
	struct call_offsets *o;
	struct call_span *span = returning(ctx, &key, &o);

	if (!span)
		return 0;
	if (frame_depth(ctx, o->g_stack + o->stack_hi, &returned.depth))
		return bind(&key, span, o, &returned);
	remove_unfinished(&key);
	return 0;
}

/* The function that it defers, as it returns: the same as in bpf/nethttp. */
SEC("uprobe")
int bind_deferring_call(struct pt_regs *ctx)
{
	__u64 frame;
	struct returned returned = {};
	struct operation_key key = {};
	const struct deferring_offsets *at;
	struct call_offsets *o;
	struct call_span *span = returning(ctx, &key, &o);

	if (!span || o->deferring.frame == ABSENT)
		return 0;
	at = &o->deferring;
	frame = GO_SP(ctx) + at->above;
	if (!deferring_depth(ctx, o->g_stack + o->stack_hi, at->above, at->frame, &returned.depth)) {
		remove_unfinished(&key);
		return 0;
	}
	if (span->depth != returned.depth)
		return 0; /* it panics, or another one is made within */
	if (go_read(&returned.stream.type, frame, at->stream_type) || go_read(&returned.stream.data, frame, at->stream_data) ||
	    go_read(&returned.error.type, frame, at->error_type) || go_read(&returned.error.data, frame, at->error_data)) {
		remove(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	return bind(&key, span, o, &returned);
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
	/* A stream that is finished while newClientStream makes it has no call of its own
	 * yet: this one was left by a stream that was at the same address. */
	if (!go_read(&making.goid, GO_G(ctx), o->g_goid)) {
		making.tgid = key.tgid;
		making.generation = key.generation;
		if (bpf_map_lookup_elem(&operations, &making)) {
			remove_unfinished(&key);
			return 0;
		}
	}
	if (!note_peer(span, o, key.goid))
		span->partial = 1;
	return end(&key, span, o, &error, now);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
