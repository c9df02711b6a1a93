/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The trace of a request: its parent, its ids, and the keys by which its children find it. */
#pragma once

#include "announcement.h"
#include "netconn.h"
#include "parent.h"
#include "server.h"

/* Finds the net.Conn of a request over HTTP/1. 0: the connection is not known. */
static __always_inline __u64 find_conn(const struct server_offsets *o, __u64 response)
{
	__u64 conn;

	if (o->response_conn == ABSENT || o->conn_rwc == ABSENT ||
	    go_read(&conn, response, o->response_conn))
		return 0;
	return conn + o->conn_rwc;
}

/* Finds the net.Conn of a stream, and the stream's id. 0: the connection is not known. */
static __always_inline __u64 find_stream(const struct stream_offsets *o, __u64 writer, __u32 *id)
{
	__u64 state, stream, server;

	if (o->writer == ABSENT || o->stream == ABSENT || o->id == ABSENT || o->server == ABSENT ||
	    o->conn == ABSENT || go_read(&state, writer, o->writer) ||
	    go_read(&stream, state, o->stream) || go_read(id, stream, o->id) ||
	    go_read(&server, stream, o->server))
		return 0;
	return server + o->conn;
}

/* Looks for the call that is the request's parent, at the other end of the connection. */
static __noinline int inherit_peer(struct server_span *span, const struct server_offsets *o,
				   enum server server, __u64 writer, __u64 text)
{
	const struct stream_offsets *streams;
	__u32 id = 0;
	__u64 at;

	if (isolated || !span || !o || !text || !writer)
		return INHERITED_NOTHING;
	if (((struct work *)(span->texts + WORK_AT))->arrived.proto_major == 1) {
		if ((!span->connection.key.key || span->connection.uncertain) &&
		    !read_connection(&o->conn, fd_of(&o->conn, text, find_conn(o, writer)),
				     END_SERVER, &span->connection))
			return INHERITED_NOTHING;
		return inherit_announced(&span->head, &span->connection, 0);
	}
	streams = server == SERVER_NET		 ? &o->net
		  : o->internal.status != ABSENT ? &o->internal
						 : &o->bundled;
	at = find_stream(streams, writer, &id);
	if (!read_connection(&o->conn, fd_of(&o->conn, text, at), END_SERVER, &span->connection))
		return INHERITED_NOTHING;
	return inherit_announced(&span->head, &span->connection, id);
}

/* Gives the request an id, and an id to its trace if no trace was inherited. */
BPF_SUBPROGRAM int give_ids(struct server_span *span)
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

/* Finds the trace of a request, and stores its context for its children. */
BPF_SUBPROGRAM int join_trace(struct pt_regs *ctx, struct server_span *span,
			      const struct operation_key *key, const struct server_offsets *o,
			      enum server server)
{
	struct work *work;
	enum inherited inherited;
	bool complete;

	if (!span || !key || !o)
		return 0;
	work = (struct work *)(span->texts + WORK_AT);
	/* The entry may have been another request's. */
	__builtin_memset(&work->wanted, 0, sizeof(work->wanted));
	complete = search_headers(work->arrived.header, &o->map, (struct map_group *)span->texts,
				  &work->wanted);
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
	store_served(&span->served, &span->head, key, &o->parent, &work->arrived.context);
	return 0;
}
