/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The begin of a request. */
#pragma once

#include "server.h"
#include "server_end.h"
#include "server_trace.h"

/* Whether a request is the preface of a client that speaks HTTP/2 without having asked, "PRI *
 * HTTP/2.0": RFC 9113, section 3.4. Servers of HTTP/1 get the preface as a request. */
static __always_inline bool is_preface(const struct arrived *arrived)
{
	char method[3], target;

	return arrived->method.length == sizeof(method) &&
	       arrived->target.length == sizeof(target) &&
	       !go_read(&method, arrived->method.data, 0) &&
	       !go_read(&target, arrived->target.data, 0) && method[0] == 'P' && method[1] == 'R' &&
	       method[2] == 'I' && target == '*';
}

/* Whether the writer of a stream is that of net/http's own server. A program can wrap the writer in
 * a type that is not known here. */
static __always_inline bool is_stream_writer(struct pt_regs *ctx, const struct server_offsets *o)
{
	struct go_interface writer = { GO_ARG1(ctx), GO_ARG2(ctx) };

	return o->serve_site != ABSENT && o->conn.itab_fun != ABSENT &&
	       holds(o->conn.itab_fun, GO_PC(ctx) - o->serve_site, &writer, o->stream_writer);
}

/* Whether a program sees the end of a stream. */
static __always_inline bool sees_end(const struct server_offsets *o, enum server server)
{
	return server == SERVER_NET ? o->ends_net_streams : o->ends_streams;
}

/* Releases the span of an earlier request whose context had the same address. The present request
 * is lost, and nothing may become a child of that earlier request. */
static __always_inline void release_span_of_context(const struct operation_key *key,
						    const struct request_offsets *o, __u64 request)
{
	struct go_interface context;
	struct span_key released;

	if (go_read(&context, request, o->context))
		return;
	released = key_in(key->tgid, key->generation, KEY_CONTEXT, context.type, context.data);
	release_span(&released);
}

/* Makes the entry for a request that begins. NULL: there is none, and the request is counted. */
static __always_inline struct server_span *make_entry(const struct operation_key *key,
						      enum server server,
						      const struct request_offsets *o,
						      __u64 request)
{
	struct server_span *span = bpf_map_lookup_elem(&operations, key);

	if (span && span->head.keeping == KEEPING_IDLE) {
		__builtin_memset(span, 0, __builtin_offsetof(struct server_span, texts));
		span->head.keeping = KEEPING_BUSY;
		return span;
	}
	if (span && span->proto_major == 2) {
		/* A stream has begun, which has a goroutine of its own. */
		if (server == SERVER_NETHTTP)
			span->request = request;
		return NULL;
	}
	/* Requests of a connection come one after the other: the end of an earlier request was not
	 * seen. */
	if (span)
		lose_unfinished_request(key, span);
	if (!add_entry(key, &empty_operation)) {
		lose_without_entry(key, COUNTER_LOST_ACTIVE_SPANS_FULL);
		release_span_of_context(key, o, request);
		return NULL;
	}
	span = bpf_map_lookup_elem(&operations, key);
	if (!span)
		count(COUNTER_OPERATIONS); /* swept between the two calls, and counted there */
	return span;
}

/* Begins a request, unless it has begun already. */
static __always_inline void begin_request(struct pt_regs *ctx, __u64 response, __u64 request,
					  enum server server)
{
	struct operation_key key = {};
	const struct request_offsets *fields;
	struct server_offsets *o;
	struct server_span *span;
	struct work *work;

	if (!enter(ctx, &key, &o))
		return;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid))
		return lose_without_entry(&key, COUNTER_LOST_UNREADABLE);
	fields = server == SERVER_INTERNAL ? &o->server_request : &o->request;
	span = make_entry(&key, server, fields, request);
	if (!span)
		return;
	work = (struct work *)(span->texts + WORK_AT);
	if (!read_request(&work->arrived, fields, request))
		return lose_new_request(&key, span, COUNTER_LOST_UNREADABLE);
	if (server == SERVER_NETHTTP && work->arrived.proto_major != 1) {
		if (is_preface(&work->arrived))
			return discard_new_request(&key, span);
		if (work->arrived.proto_major != 2)
			return lose_new_request(&key, span, COUNTER_LOST_UNSUPPORTED);
		if (!is_stream_writer(ctx, o))
			response = 0;
	} else if (server != SERVER_NETHTTP) {
		/* Also for a request that came over HTTP/1 and asked for HTTP/2. */
		work->arrived.proto_major = 2;
		work->arrived.proto_minor = 0;
	}
	if (work->arrived.proto_major == 2 && !sees_end(o, server))
		return lose_new_request(&key, span, COUNTER_LOST_UNSUPPORTED);
	span->response = response;
	span->proto_major = work->arrived.proto_major;
	span->proto_minor = work->arrived.proto_minor;
	join_trace(ctx, span, &key, o, server);
	if (span->inherited != INHERITED_NOT_SAMPLED)
		copy_request(span, o, work);
	else if (injects) /* its own requests say that they are not sampled */
		copy_and_keep_tracestate(INHERITED_NOT_SAMPLED, &span->head, &span->tracestate,
					 span->texts, &span->used, &work->wanted.tracestate,
					 o->parent.children);
	count(COUNTER_OPERATIONS);
	span->request = server == SERVER_INTERNAL ? 0 : request;
	start_head(ctx, &span->head, &key);
}
