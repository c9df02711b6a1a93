/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* How a request begins, and how it ends. */
#pragma once

#include "netconn.h"
#include "panic.h"
#include "request.h"
#include "route.h"

#define OPERATION struct server_span
#define OFFSETS struct server_offsets
#include "operation.h"
#include "keep.h"

/* Whether it is what a client says first that speaks HTTP/2 without having asked,
 * "PRI * HTTP/2.0": RFC 9113, section 3.4. Servers of HTTP/1 get it as a request. */
static __always_inline bool is_preface(const struct arrived *arrived)
{
	char method[3], target;

	return arrived->method.length == sizeof(method) && arrived->target.length == sizeof(target) &&
	       !go_read(&method, arrived->method.data, 0) && !go_read(&target, arrived->target.data, 0) &&
	       method[0] == 'P' && method[1] == 'R' && method[2] == 'I' && target == '*';
}

/* Which server a request comes from. */
enum server {
	SERVER_NETHTTP,	 /* net/http: HTTP/1, and its own HTTP/2 */
	SERVER_INTERNAL, /* streams of net/http/internal/http2, as it knows them */
	SERVER_NET,	 /* streams of golang.org/x/net/http2 */
};

/* Whether the writer of a stream is that of net/http's own server: a program can
 * put its own around it, of which nothing is known. */
static __always_inline bool is_stream_writer(struct pt_regs *ctx, const struct server_offsets *o)
{
	struct go_interface writer = { GO_ARG1(ctx), GO_ARG2(ctx) };

	return o->serve_site != ABSENT && o->conn.itab_fun != ABSENT &&
	       holds(o->conn.itab_fun, GO_PC(ctx) - o->serve_site, &writer, o->stream_writer);
}

/* Where the binary's code is in the process; 0: it is not known. */
static __always_inline __u64 text_of(struct pt_regs *ctx, const struct server_offsets *o, enum server server)
{
	__u32 site = server == SERVER_NETHTTP ? o->serve_site : server == SERVER_INTERNAL ? o->stream_site : o->net_site;

	return site == ABSENT ? 0 : GO_PC(ctx) - site;
}

/* Finds where the net.Conn is that a request of HTTP/1 came on. 0: it is not known. */
static __always_inline __u64 find_conn(const struct server_offsets *o, __u64 response)
{
	__u64 conn;

	if (o->response_conn == ABSENT || o->conn_rwc == ABSENT || go_read(&conn, response, o->response_conn))
		return 0;
	return conn + o->conn_rwc;
}

/* The same of a stream, and which one it is. */
static __always_inline __u64 find_stream(const struct stream_offsets *o, __u64 writer, __u32 *id)
{
	__u64 state, stream, server;

	if (o->writer == ABSENT || o->stream == ABSENT || o->id == ABSENT || o->server == ABSENT || o->conn == ABSENT ||
	    go_read(&state, writer, o->writer) || go_read(&stream, state, o->stream) || go_read(id, stream, o->id) ||
	    go_read(&server, stream, o->server))
		return 0;
	return server + o->conn;
}

/* Looks for the call that is the request's parent, at the other end of its
 * connection. */
static __noinline int inherit_peer(struct server_span *span, const struct server_offsets *o, enum server server,
				   __u64 writer, __u64 text)
{
	const struct stream_offsets *streams;
	__u32 id = 0;
	__u64 at;

	if (isolated || !span || !o || !text || !writer)
		return INHERITED_NOTHING;
	if (((struct work *)(span->texts + WORK_AT))->arrived.proto_major == 1) {
		if ((!span->connection.key.key || span->connection.uncertain) &&
		    !read_connection(&o->conn, fd_of(&o->conn, text, find_conn(o, writer)), END_SERVER, &span->connection))
			return INHERITED_NOTHING;
		return inherit_announced(&span->head, &span->connection, 0);
	}
	streams = server == SERVER_NET ? &o->net : o->internal.status != ABSENT ? &o->internal : &o->bundled;
	at = find_stream(streams, writer, &id);
	if (!read_connection(&o->conn, fd_of(&o->conn, text, at), END_SERVER, &span->connection))
		return INHERITED_NOTHING;
	return inherit_announced(&span->head, &span->connection, id);
}

/* Gives the request an id, and if it has inherited none, one to its trace. */
called int give_ids(struct server_span *span)
{
	struct random *random;

	if (!span)
		return 0;
	random = span->head.keeping == KEEPING_NOT ? NULL : &span->random;
	new_span_id(&span->head, random);
	if (span->inherited == INHERITED_NOTHING)
		span->inherited = begin_trace(&span->head, random);
	return 0;
}

/* Whose child the request is, and whether its headers could be read. */
called int note_trace(struct pt_regs *ctx, struct server_span *span, const struct operation_key *key,
		      const struct server_offsets *o, enum server server)
{
	struct work *work;
	enum inherited inherited;
	bool complete;

	if (!span || !key || !o)
		return 0;
	work = (struct work *)(span->texts + WORK_AT);
	__builtin_memset(&work->wanted, 0, sizeof(work->wanted)); /* the entry may have been another's */
	complete = search_headers(work->arrived.header, &o->map, (struct map_group *)span->texts, &work->wanted);
	inherited = inherit_header(&span->head, span->texts, &work->wanted, &complete);
	if (inherited == INHERITED_NOTHING)
		inherited = inherit_peer(span, o, server, span->response, text_of(ctx, o, server));
	span->partial = !complete;
	span->inherited = inherited;
	give_ids(span);
	span->head.g = GO_G(ctx);
	span->head.goid = key->goid;
	span->served.text = text_of(ctx, o, server);
	span->served.only_one = work->arrived.proto_major == 2;
	note_served(&span->served, &span->head, key, &o->parent, &work->arrived.context);
	return 0;
}

/* Whether the end of a stream is seen. */
static __always_inline bool ends(const struct server_offsets *o, enum server server)
{
	return server == SERVER_NET ? o->ends_net_streams : o->ends_streams;
}

/* Ends a request that has just begun, and goes no further. */
static __always_inline void give_up_request(const struct operation_key *key, struct server_span *span, enum counter why)
{
	count(COUNTER_OPERATIONS);
	if (span->head.keeping == KEEPING_NOT)
		return remove(key, why);
	span->head.keeping = KEEPING_IDLE;
	count(why);
}

/* Ends a request whose end was not seen, or that is none. */
static __always_inline void abandon(const struct operation_key *key, struct server_span *span, enum counter why)
{
	end_served(&span->served, &span->head);
	drop(key, span, why);
}

/* Sees to it that nothing becomes a child of the request that had its context at the same
 * address, since this one is lost. */
static __always_inline void forget(const struct operation_key *key, const struct request_offsets *o, __u64 request)
{
	struct go_interface context;
	struct span_key forgotten;

	if (go_read(&context, request, o->context))
		return;
	forgotten = key_in(key->tgid, key->generation, KEY_CONTEXT, context.type, context.data);
	forget_span(&forgotten);
}

/* The entry for a request that begins. NULL: it has none, which was seen to. */
static __always_inline struct server_span *make_entry(const struct operation_key *key, enum server server,
						      const struct request_offsets *o, __u64 request)
{
	struct server_span *span = bpf_map_lookup_elem(&operations, key);

	if (span && span->head.keeping == KEEPING_IDLE) {
		__builtin_memset(span, 0, __builtin_offsetof(struct server_span, texts));
		span->head.keeping = KEEPING_BUSY;
		return span;
	}
	if (span && span->proto_major == 2) {
		/* A stream, which has a goroutine of its own, has begun. */
		if (server == SERVER_NETHTTP)
			span->request = request;
		return NULL;
	}
	/* Requests of a connection come one after the other: one that is still
	 * here had an end that was not seen. */
	if (span)
		abandon(key, span, COUNTER_LOST_UNFINISHED);
	if (bpf_map_update_elem(&operations, key, &empty_operation, BPF_NOEXIST)) {
		lose(COUNTER_LOST_MAP_FULL);
		forget(key, o, request);
		return NULL;
	}
	span = bpf_map_lookup_elem(&operations, key);
	if (!span)
		count(COUNTER_OPERATIONS); /* swept between the two calls, and counted there */
	return span;
}

/* Begins a request, unless it has begun already. */
static __always_inline void start(struct pt_regs *ctx, __u64 response, __u64 request, enum server server)
{
	struct operation_key key = {};
	const struct request_offsets *fields;
	struct server_offsets *o;
	struct server_span *span;
	struct work *work;

	if (!enter(ctx, &key, &o))
		return;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid))
		return lose(COUNTER_LOST_UNREADABLE);
	fields = server == SERVER_INTERNAL ? &o->server_request : &o->request;
	span = make_entry(&key, server, fields, request);
	if (!span)
		return;
	work = (struct work *)(span->texts + WORK_AT);
	if (!read_request(&work->arrived, fields, request))
		return give_up_request(&key, span, COUNTER_LOST_UNREADABLE);
	if (server == SERVER_NETHTTP && work->arrived.proto_major != 1) {
		if (is_preface(&work->arrived))
			return give_up_request(&key, span, COUNTER_DISCARDED);
		if (work->arrived.proto_major != 2)
			return give_up_request(&key, span, COUNTER_LOST_UNSUPPORTED);
		if (!is_stream_writer(ctx, o))
			response = 0;
	} else if (server != SERVER_NETHTTP) {
		/* Also of a request that came over HTTP/1 and asked for HTTP/2. */
		work->arrived.proto_major = 2;
		work->arrived.proto_minor = 0;
	}
	if (work->arrived.proto_major == 2 && !ends(o, server))
		return give_up_request(&key, span, COUNTER_LOST_UNSUPPORTED);
	span->response = response;
	span->proto_major = work->arrived.proto_major;
	span->proto_minor = work->arrived.proto_minor;
	note_trace(ctx, span, &key, o, server);
	if (span->inherited != INHERITED_NOT_SAMPLED)
		note_request(span, o, work);
	else if (injects) /* requests that are made for it say that they are not sampled */
		note_tracestate(INHERITED_NOT_SAMPLED, &span->head, &span->tracestate, span->texts, &span->used,
				&work->wanted.tracestate, o->parent.children);
	count(COUNTER_OPERATIONS);
	span->request = server == SERVER_INTERNAL ? 0 : request;
	start_head(ctx, &span->head, &key);
}

/* net/http refuses to write any other: src/net/http/server.go, checkWriteHeaderCode. */
static __always_inline bool is_status(__u64 status)
{
	return status >= 100 && status <= 999;
}

/* Sends a request that has ended: its status is at the address `status_at` + `status_offset`. */
static __always_inline void send_request(struct server_span *span, const struct server_offsets *o, __u64 status_at,
					 __u32 status_offset)
{
	__u64 status;

	if (status_offset != ABSENT && !go_read(&status, status_at, status_offset) && (!status || is_status(status))) {
		span->status = status;
	} else if (!span->status && span->ending == ENDING_RETURNED) { /* none was noted either */
		span->status = STATUS_UNREADABLE;
		span->partial = 1;
	}
	if (!note_route(span, o))
		span->partial = 1;
	if (span->partial)
		count(COUNTER_PARTIAL_UNREADABLE);
	send(span, span->used);
}

/* Ends a request. One that is not sampled was kept for what is done for it, and to be known when another hook sees it. */
static __noinline int end(struct operation_key *key, struct server_span *span, const struct server_offsets *o,
			  __u64 status_at, __u32 status_offset)
{
	if (!key || !span || !o)
		return 0;
	if (span->head.flags & FLAG_SAMPLED)
		send_request(span, o, status_at, status_offset);
	else
		count(COUNTER_NOT_SAMPLED);
	end_served(&span->served, &span->head);
	/* The next request of its connection will be served by the same goroutine,
	 * unless this was the last one. */
	if (span->proto_major != 1 || span->ending != ENDING_RETURNED || !keep(span))
		take_out(key, span);
	return 0;
}

static __noinline int end_of_stream(struct operation_key *key, struct server_span *span,
				    const struct server_offsets *o, const struct stream_offsets *stream)
{
	__u64 state = 0;
	__u32 status;

	if (!span || !stream)
		return 0;
	status = stream->status;
	if (!span->response || stream->writer == ABSENT || go_read(&state, span->response, stream->writer))
		status = ABSENT;
	return end(key, span, o, state, status);
}

/* Whether the value of a panic is http.ErrAbortHandler, the error of which
 * net/http makes no more than an end of the connection. It is known by its text,
 * since the variable has no name in a stripped binary. */
static __always_inline bool is_abort(const struct go_interface *value)
{
	static const char abort[] = "net/http: abort Handler";
	char found[sizeof(abort) - 1];
	struct go_string text;

	if (go_read(&text, value->data, 0) || text.length != sizeof(found) || go_read(&found, text.data, 0))
		return false;
	for (__u32 i = 0; i < sizeof(found); i++) {
		if (found[i] != abort[i])
			return false;
	}
	return true;
}

/* Says how a handler ended, at the entry of a deferred function of its server's. */
static __always_inline bool note_ending(struct pt_regs *ctx, struct server_span *span, const struct server_offsets *o,
					enum ending otherwise)
{
	struct go_interface value;

	switch (unwinding(GO_G(ctx), o->g_panic, o->panic_arg, o->panic_goexit, &value)) {
	case UNWINDING_NOT:
		span->ending = otherwise;
		return true;
	case UNWINDING_PANIC:
		span->ending = is_abort(&value) ? ENDING_ABORTED : ENDING_PANICKED;
		return true;
	case UNWINDING_GOEXIT:
		span->ending = ENDING_EXITED;
		return true;
	default:
		return false;
	}
}
