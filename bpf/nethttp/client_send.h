/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The sending of a call's request: its connection, and its announcement. */
#pragma once

#include "announcement.h"
#include "call.h"
#include "handover.h"

/* Reads the peer of the connection that a call has got, and returns its net.netFD. The net.Conn is
 * in the receiver of the method, at `conn`. 0: the connection is not known. */
static __always_inline __u64 read_call_peer(struct pt_regs *ctx, struct client_span *span,
					    const struct client_offsets *o, __u32 conn)
{
	struct go_string name = {};
	__u64 fd;

	if (conn == ABSENT || !span->text)
		return 0;
	fd = fd_of(&o->conn, span->text, GO_ARG0(ctx) + conn);
	read_peer(&o->conn, span->text, fd, &span->peer, &name);
	if (span->peer.kind == PEER_UNIX && !span->socket.length &&
	    !COPY(span, socket, &name, SOCKET_LIMIT))
		span->partial = 1;
	return fd;
}

/* Announces the request's context to the goroutine that writes to the connection, for injection.
 * The goroutine writes one request after the other. */
static __always_inline void hand_over_request(struct pt_regs *ctx, const struct operation_key *key,
					      const struct client_span *span,
					      const struct client_offsets *o)
{
	struct span_key written;
	__u64 writer;

	if (!injects || o->http1_writer == ABSENT ||
	    go_read(&writer, GO_ARG0(ctx), o->http1_writer))
		return;
	written = key_in(key->tgid, key->generation, KEY_WRITER, writer, GO_ARG0(ctx));
	if (span)
		store_span_context(&written, &span->head, *(const __u64 *)span->head.parent_id,
				   WAY_ANNOUNCED);
	else
		release_span(&written);
}

/* Does the same for HTTP/2. Another goroutine sends the request, whose address is its key until
 * then: announce_stream. */
static __always_inline int hand_over_stream(struct pt_regs *ctx, struct operation_key *key,
					    struct client_span *span,
					    const struct client_offsets *o,
					    const struct sent_offsets *sent)
{
	struct span_key message = key_in(key->tgid, key->generation, KEY_MESSAGE, GO_ARG1(ctx), 0);

	if (span) {
		read_call_peer(ctx, span, o, sent->conn);
		store_span_context(&message, &span->head, *(const __u64 *)span->head.parent_id,
				   WAY_ANNOUNCED);
	} else if (o) {
		release_span(&message);
	}
	return 0;
}

/* Announces a stream that has its id, and is about to be sent. */
static __always_inline int announce_stream(struct pt_regs *ctx, const struct operation_key *key,
					   const struct client_offsets *o,
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
		announce_frame(&message, found.trace_id, found.span_id, found.flags, found.extra,
			       WRITER_BUFIO);
	}
	if (read_connection(&o->conn, fd_of(&o->conn, GO_PC(ctx) - site, client + sent->conn),
			    END_CLIENT, &connection))
		announce(&connection, id, found.trace_id, found.span_id, found.flags);
	return 0;
}
