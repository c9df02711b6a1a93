/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* A stream that a server handles: its entry, its offsets, and the reading of the stream. */
#pragma once

#include "announcement.h"
#include "context.h"
#include "go.h"
#include "incoming.h"
#include "netconn.h"
#include "parent.h"
#include "span.h"
#include "status.h"

/* Bytes that a record keeps of each text. */
enum text_limit {
	METHOD_LIMIT = 256,
	AUTHORITY_LIMIT = 128,
	REMOTE_LIMIT = 64,
	SOCKET_LIMIT = 108, /* a path of sockaddr_un */
	USER_AGENT_LIMIT = 192,
};
#define TEXTS_SIZE                                                                         \
	(TRACESTATE_LIMIT + METHOD_LIMIT + AUTHORITY_LIMIT + REMOTE_LIMIT + SOCKET_LIMIT + \
	 USER_AGENT_LIMIT)

struct stream_offsets {
	__u32 g_goid;
	/* A ServerStream begins with its Stream: with a pointer or with the struct itself, by
	 * version. Older versions have only the Stream. */
	__u32 stream_pointer, stream_inside;
	__u32 stream_context, stream_method, stream_id;
	__u32 server_options, options_workers; /* Server.opts, serverOptions.numServerWorkers */
	__u32 transport_conn;		       /* http2Server.conn */
	/* The address of the client: http2Server.remoteAddr, or .peer and its Addr. */
	__u32 remote_addr, peer, peer_addr;
	/* The same for a stream that came through net/http. */
	__u32 handler_request, request_remote;
	/* Functions: Close, the first method of a transport. */
	__u32 http2_close, handler_close;
	__u32 metadata_key; /* type: of the key of the metadata in a context */
	struct context_offsets context;
	struct status_offsets status;
	struct conn_offsets conn;
	struct parent_offsets parent;
	struct map_offsets map;
	__u32 site; /* the site of start_stream, a distance from the start of the code */
};

struct stream_span {
	struct span_head head;
	__u64 claim; /* claim_of its key, until a program ends it */
	__u64 text;  /* address of the binary's code; 0: not known */
	struct peer peer;
	__u32 code;
	__u16 used;   /* bytes of texts that follow */
	__u8 partial; /* a part that is there could not be read */
	__u8 reserved;
	struct text tracestate, method, authority, remote, socket, user_agent;
	__u8 texts[TEXTS_SIZE] __attribute__((aligned(8)));
	struct served served; /* no part of the record */
};

/* The working memory of start_stream. It lies in the entry, in the room of the last text. A
 * program's stack is 512 bytes, including those of the functions that it calls. */
struct stream_work {
	struct wanted_headers wanted;
	union {
		struct connection connection;
		struct span_way found;
	};
	struct go_interface context;
	struct go_string method;
	struct go_string socket;
};
#define WORK_AT ((TEXTS_SIZE - USER_AGENT_LIMIT + 7) & ~7)
_Static_assert(sizeof(struct stream_work) <= TEXTS_SIZE - WORK_AT, "no room to work in");
_Static_assert(sizeof(struct map_group) <= WORK_AT, "no room for a group of map entries");

/* The address of the fields that all streams have. 0: the address could not be read. */
static __always_inline __u64 common_stream(const struct stream_offsets *o, __u64 stream)
{
	__u64 inside;

	if (o->stream_pointer != ABSENT)
		return go_read(&inside, stream, o->stream_pointer) ? 0 : inside;
	return o->stream_inside != ABSENT ? stream + o->stream_inside : stream;
}

/* Reads the client's address from the transport. False: the address could not be read. */
BPF_SUBPROGRAM bool read_stream_peer(struct stream_span *span, const struct stream_offsets *o,
				     const struct go_interface *transport, struct go_string *socket)
{
	struct go_interface addr;
	struct go_string remote;
	__u64 request;

	if (!span || !o || !transport || !socket || !span->text || o->conn.itab_fun == ABSENT)
		return true;
	if (holds(o->conn.itab_fun, span->text, transport, o->http2_close)) {
		__u32 at = o->remote_addr;

		if (at == ABSENT && o->peer != ABSENT && o->peer_addr != ABSENT)
			at = o->peer + o->peer_addr;
		if (at == ABSENT)
			return true;
		if (go_read(&addr, transport->data, at))
			return false;
		read_addr(&o->conn, span->text, &addr, &span->peer, socket);
		return true;
	}
	if (!holds(o->conn.itab_fun, span->text, transport, o->handler_close) ||
	    o->handler_request == ABSENT || o->request_remote == ABSENT)
		return true;
	return !go_read(&request, transport->data, o->handler_request) &&
	       !go_read(&remote, request, o->request_remote) &&
	       COPY(span, remote, &remote, REMOTE_LIMIT);
}

/* Looks for the parent of a stream: a call at the other end of the connection, or the request that
 * net/http has begun for it. */
static __noinline int inherit_peer(struct stream_span *span, const struct stream_offsets *o,
				   const struct operation_key *key,
				   const struct go_interface *transport, __u64 stream)
{
	struct stream_work *work;
	__u32 id;

	if (isolated || !span || !o || !key || !transport || !span->text)
		return INHERITED_NOTHING;
	work = (struct stream_work *)(span->texts + WORK_AT);
	if (holds(o->conn.itab_fun, span->text, transport, o->handler_close)) {
		if (!find_context(key, &o->parent, span->text, &work->context, &work->found))
			return INHERITED_NOTHING;
		span->head.context |= CONTEXT_REMOTE_PARENT;
		return inherit_way(&span->head, &work->found);
	}
	if (o->transport_conn == ABSENT || o->stream_id == ABSENT ||
	    !holds(o->conn.itab_fun, span->text, transport, o->http2_close) ||
	    go_read(&id, stream, o->stream_id) ||
	    !read_connection(&o->conn,
			     fd_of(&o->conn, span->text, transport->data + o->transport_conn),
			     END_SERVER, &work->connection))
		return INHERITED_NOTHING;
	return inherit_announced(&span->head, &work->connection, id);
}

/* Looks for the wanted headers of a stream. False: the headers could not be read. */
BPF_SUBPROGRAM bool search_metadata(struct stream_span *span, const struct stream_offsets *o,
				    __u64 stream)
{
	struct stream_work *work;
	__u64 metadata = 0;

	if (!span || !o)
		return false;
	work = (struct stream_work *)(span->texts + WORK_AT);
	/* There is always metadata: at least the call's authority. */
	if (go_read(&work->context, stream, o->stream_context))
		return false;
	if (!span->text) {
		count(COUNTER_DEGRADED_HEADERS);
		return true;
	}
	switch (context_value(&o->context, o->conn.itab_fun, span->text, work->context,
			      o->metadata_key, &metadata)) {
	case CONTEXT_FOUND:
		return search_headers(metadata, &o->map, (struct map_group *)span->texts,
				      &work->wanted);
	case CONTEXT_NOT_FOUND:
		count(COUNTER_DEGRADED_HEADERS);
		return true;
	default:
		return false;
	}
}

/* Copies a stream as it arrived. False: the stream could not be read. */
static __always_inline bool copy_stream(struct stream_span *span, const struct stream_offsets *o,
					const struct operation_key *key,
					const struct go_interface *transport, __u64 address,
					__u64 g, __u64 server)
{
	struct stream_work *work = (struct stream_work *)(span->texts + WORK_AT);
	__u64 stream = common_stream(o, address);
	enum inherited inherited;
	bool complete;
	__u32 workers;

	if (!stream || go_read(&work->method, stream, o->stream_method))
		return false;
	complete = search_metadata(span, o, stream);
	inherited = inherit_header(&span->head, span->texts, &work->wanted, &complete);
	if (inherited == INHERITED_NOTHING)
		inherited = inherit_peer(span, o, key, transport, stream);
	if (inherited == INHERITED_NOTHING)
		inherited = begin_trace(&span->head, NULL);
	new_span_id(&span->head, NULL);
	span->head.g = g;
	span->served.text = span->text;
	/* Workers, if a server has any, handle one stream after the other. */
	span->served.only_one =
		o->server_options != ABSENT && o->options_workers != ABSENT &&
		!go_read(&workers, server, o->server_options + o->options_workers) && !workers;
	if (!go_read(&span->head.goid, g, o->g_goid))
		store_served(&span->served, &span->head, key, &o->parent, &work->context);
	if (inherited == INHERITED_NOT_SAMPLED && !injects)
		return true;
	complete &=
		copy_and_keep_tracestate(inherited, &span->head, &span->tracestate, span->texts,
					 &span->used, &work->wanted.tracestate, o->parent.children);
	if (inherited == INHERITED_NOT_SAMPLED)
		return true; /* kept for its children */
	if (!COPY(span, method, &work->method, METHOD_LIMIT))
		return false;
	complete &= COPY_FIRST(span, authority, &work->wanted.authority, AUTHORITY_LIMIT);
	complete &= read_stream_peer(span, o, transport, &work->socket);
	if (span->peer.kind == PEER_UNIX)
		complete &= COPY(span, socket, &work->socket, SOCKET_LIMIT);
	complete &= COPY_FIRST(span, user_agent, &work->wanted.user_agent, USER_AGENT_LIMIT);
	span->partial = !complete;
	return true;
}
