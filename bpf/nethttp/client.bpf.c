//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Client spans of net/http and golang.org/x/net/http2.
 *
 * A call is one roundTrip of a Transport's: from its entry to its return, by when
 * the headers of the response have been read. (RoundTrip itself is inlined where
 * a program calls it on a *Transport.) It is seen three times, on the goroutine of
 * the caller:
 *
 *	start_call, start_net_call	it begins
 *	note_connection (…)		it has a connection, at whose other end it is announced
 *	end_call, end_deferring_call (…)	it returns
 *
 * A request over HTTP/2 is sent by another goroutine, which is when it is announced
 * (announce_bundled_stream, …).
 *
 * The Transport of x/net also serves below net/http's: what it does then is a part
 * of a call, and none of its own. */
#include "call.h"

#define OPERATION struct client_span
#define OFFSETS struct client_offsets
#include "operation.h"

/* Begins a call, unless it is a part of one. */
static __always_inline int start(struct pt_regs *ctx, __u64 request, bool net)
{
	struct operation_key key = {};
	struct client_offsets *o;
	struct client_span *span;
	struct wanted *wanted;
	__u64 depth;
	__u32 site;

	if (!enter(ctx, &key, &o))
		return 0;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid) || !frame_depth(ctx, o->g_stack + o->stack_hi, &depth)) {
		lose(COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (bpf_map_update_elem(&operations, &key, &empty_operation, BPF_NOEXIST)) {
		span = bpf_map_lookup_elem(&operations, &key);
		if (span && net && !span->net && span->depth < depth)
			return 0;
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
	wanted = (struct wanted *)(span->texts + WORK_AT);
	if (!read_wanted(wanted, span->texts, o, request)) {
		give_up(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (says_parent(span, o, wanted->header)) {
		give_up(&key, COUNTER_SELF_TRACED);
		return 0;
	}
	span->partial = !note_call(span, o, wanted);
	span->depth = depth;
	span->net = net;
	site = net ? o->net_site : o->site;
	if (site != ABSENT)
		span->text = GO_PC(ctx) - site;
	inherit_inside(&span->head, &key, GO_G(ctx), key.goid, &o->parent, span->text, &wanted->context);
	count(COUNTER_OPERATIONS);
	start_head(ctx, &span->head, &key);
	return 0;
}

/* func (t *Transport) roundTrip(req *Request) (*Response, error) */
SEC("uprobe")
int start_call(struct pt_regs *ctx)
{
	return start(ctx, GO_ARG1(ctx), false);
}

/* func (t *Transport) RoundTripOpt(req *http.Request, opt RoundTripOpt) (*http.Response, error) */
SEC("uprobe")
int start_net_call(struct pt_regs *ctx)
{
	return start(ctx, GO_ARG1(ctx), true);
}

/* A connection was found for the call: its net.Conn is in what the receiver of
 * the method points to. */
static __always_inline __u64 connected(struct pt_regs *ctx, struct client_span *span, const struct client_offsets *o,
				       __u32 conn)
{
	struct go_string name = {};
	__u64 fd;

	if (conn == ABSENT || !span->text)
		return 0;
	fd = fd_of(&o->conn, span->text, GO_ARG0(ctx) + conn);
	read_peer(&o->conn, span->text, fd, &span->peer, &name);
	if (span->peer.kind == PEER_UNIX && !span->socket.length && !COPY(span, socket, &name, SOCKET_LIMIT))
		span->partial = 1;
	return fd;
}

/* Has the request carry the context of its span, which the goroutine that writes to the
 * connection sees to. It writes one request after the other. */
static __always_inline void hand_over_request(struct pt_regs *ctx, const struct operation_key *key,
					      const struct client_span *span, const struct client_offsets *o)
{
	struct span_key written;
	__u64 writer;

	if (!injects || o->http1_writer == ABSENT || go_read(&writer, GO_ARG0(ctx), o->http1_writer))
		return;
	written = key_in(key->tgid, key->generation, KEY_WRITER, writer, 0);
	if (span)
		note_head(&written, &span->head, *(const __u64 *)span->head.parent_id, WAY_ANNOUNCED);
	else
		forget_span(&written);
}

/* func (pc *persistConn) roundTrip(req *transportRequest) (resp *Response, err error) */
SEC("uprobe")
int note_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running(ctx, &key, &o);

	if (o)
		hand_over_request(ctx, &key, span, o);
	if (!span)
		return 0;
	if (read_connection(&o->conn, connected(ctx, span, o, o->http1_conn), END_CLIENT, &span->connection))
		announce(&span->connection, 0, span->head.trace_id, span->head.span_id, span->head.flags);
	return 0;
}

/* The same over HTTP/2, where another goroutine sends the request, which is known by
 * its address until then: announce_stream. */
static __always_inline int note_stream(struct pt_regs *ctx, struct operation_key *key, struct client_span *span,
				       const struct client_offsets *o, const struct sent_offsets *sent)
{
	struct span_key message = key_in(key->tgid, key->generation, KEY_MESSAGE, GO_ARG1(ctx), 0);

	if (span) {
		connected(ctx, span, o, sent->conn);
		note_head(&message, &span->head, *(const __u64 *)span->head.parent_id, WAY_ANNOUNCED);
	} else if (o) {
		forget_span(&message);
	}
	return 0;
}

/* func (cc *ClientConn) roundTrip(req *Request, …) */
SEC("uprobe")
int note_bundled_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running(ctx, &key, &o);

	return o ? note_stream(ctx, &key, span, o, &o->bundled) : 0;
}

SEC("uprobe")
int note_internal_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running(ctx, &key, &o);

	return o ? note_stream(ctx, &key, span, o, &o->internal) : 0;
}

SEC("uprobe")
int note_net_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running(ctx, &key, &o);

	return o ? note_stream(ctx, &key, span, o, &o->net) : 0;
}

/* A stream has its id, and is about to be sent. */
static __always_inline int announce_stream(struct pt_regs *ctx, const struct operation_key *key, const struct client_offsets *o,
					   const struct sent_offsets *sent, __u32 site)
{
	struct span_key message = key_in(key->tgid, key->generation, KEY_MESSAGE, GO_ARG1(ctx), 0);
	struct span_way found = {};
	struct connection connection = {};
	__u64 client, framer;
	__u32 id;

	if (!take_span(&message, &found) || site == ABSENT || sent->conn == ABSENT ||
	    sent->id == ABSENT || sent->client == ABSENT || go_read(&id, GO_ARG0(ctx), sent->id) ||
	    go_read(&client, GO_ARG0(ctx), sent->client))
		return 0;
	if (injects && sent->framer != ABSENT && !go_read(&framer, client, sent->framer)) {
		message = key_in(key->tgid, key->generation, KEY_FRAME, framer, id);
		note_frame(&message, found.trace_id, found.span_id, found.flags, found.extra, WRITER_BUFIO);
	}
	if (read_connection(&o->conn, fd_of(&o->conn, GO_PC(ctx) - site, client + sent->conn), END_CLIENT, &connection))
		announce(&connection, id, found.trace_id, found.span_id, found.flags);
	return 0;
}

/* func (cs *clientStream) encodeAndWriteHeaders(req *Request) error */
SEC("uprobe")
int announce_bundled_stream(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o;

	return enter(ctx, &key, &o) ? announce_stream(ctx, &key, o, &o->bundled, o->bundled_site) : 0;
}

SEC("uprobe")
int announce_internal_stream(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o;

	return enter(ctx, &key, &o) ? announce_stream(ctx, &key, o, &o->internal, o->internal_site) : 0;
}

SEC("uprobe")
int announce_net_stream(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o;

	return enter(ctx, &key, &o) ? announce_stream(ctx, &key, o, &o->net, o->net_stream_site) : 0;
}

static __always_inline bool read_response(struct client_span *span, const struct client_offsets *o, __u64 response)
{
	__u64 status, major, minor;

	if (go_read(&status, response, o->response_status) || go_read(&major, response, o->response_proto_major) ||
	    go_read(&minor, response, o->response_proto_minor)) {
		span->status = STATUS_UNREADABLE;
		return false;
	}
	span->status = status;
	span->proto_major = major;
	span->proto_minor = minor;
	return true;
}

/* What roundTrip returns, and how deep in the stack its frame is: frame_depth. */
struct returned {
	__u64 response, depth;
	struct go_interface error;
};

/* Ends a call with that. */
static __always_inline void end(const struct operation_key *key, struct client_span *span, const struct client_offsets *o,
				const struct returned *returned, __u64 now)
{
	struct go_string name;

	if (span->depth != returned->depth)
		return; /* another's, that was replaced by this one */
	if (returned->error.type) {
		span->failed = 1;
		/* A name that nobody has looked at may lie in a page that is not there. */
		if (!span->text || !type_name(&o->type, span->text, &returned->error, &name) ||
		    !COPY(span, error, &name, ERROR_LIMIT))
			span->partial = 1;
	} else if (!returned->response || !read_response(span, o, returned->response)) {
		span->partial = 1;
	}
	if (span->partial)
		count(COUNTER_PARTIAL_UNREADABLE);
	/* What was answered was found; what was not may yet be, and ends its connection. */
	if (span->connection.key.key && !span->failed)
		retract(&span->connection, 0, &span->head);
	span->head.end = now;
	finish(key, span, span->used);
}

static __always_inline int end_at_return(struct pt_regs *ctx, bool net)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct client_offsets *o;
	struct client_span *span = returning(ctx, &key, &o);
	struct returned returned = { .response = GO_RESULT0(ctx), .error = { GO_RESULT1(ctx), GO_RESULT2(ctx) } };

	if (!span || span->net != net)
		return 0;
	if (frame_depth(ctx, o->g_stack + o->stack_hi, &returned.depth))
		end(&key, span, o, &returned, now);
	else
		remove_unfinished(&key);
	return 0;
}

SEC("uprobe")
int end_call(struct pt_regs *ctx)
{
	return end_at_return(ctx, false);
}

SEC("uprobe")
int end_net_call(struct pt_regs *ctx)
{
	return end_at_return(ctx, true);
}

/* The function that roundTrip defers, as it returns: the results are final, as that leaves them alone. Where it panics that runs,
 * too, but is not called from its frame. */
SEC("uprobe")
int end_deferring_call(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns(), frame;
	struct operation_key key = {};
	struct client_offsets *o;
	struct client_span *span = returning(ctx, &key, &o);
	const struct deferring_offsets *at;
	struct returned returned = {};

	if (!span || span->net || o->deferring.frame == ABSENT)
		return 0;
	at = &o->deferring;
	frame = GO_SP(ctx) + at->above;
	if (!deferring_depth(ctx, o->g_stack + o->stack_hi, at->above, at->frame, &returned.depth)) {
		remove_unfinished(&key);
		return 0;
	}
	if (span->depth != returned.depth)
		return 0;
	if (go_read(&returned.response, frame, at->response) || go_read(&returned.error.type, frame, at->error_type) ||
	    go_read(&returned.error.data, frame, at->error_data)) {
		remove(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	end(&key, span, o, &returned, now);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
