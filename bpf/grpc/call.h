/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* A call that a client makes: its entry, its offsets, and the reading of its peer. */
#pragma once

#include "context.h"
#include "go.h"
#include "gotype.h"
#include "incoming.h"
#include "netconn.h"
#include "parent.h"
#include "span.h"
#include "status.h"

/* Bytes that a record keeps of each text. */
enum text_limit {
	METHOD_LIMIT = 256,
	TARGET_LIMIT = 256,
	SOCKET_LIMIT = 108, /* a path of sockaddr_un */
	ERROR_LIMIT = 128,
};

/* The working memory of start_call and announce_call. It lies in the entry, behind the texts that
 * they copy. A program's stack is 512 bytes, including those of the functions that it calls. */
struct call_work {
	struct map_group group;
	struct wanted_headers wanted;
	struct go_slice added;
	struct go_interface context;
};
#define WORK_AT (METHOD_LIMIT + TARGET_LIMIT)
#define TEXTS_SIZE (WORK_AT + sizeof(struct call_work))
_Static_assert(SOCKET_LIMIT + ERROR_LIMIT <= sizeof(struct call_work), "no room for all texts");

/* The places of newClientStream's results in its deferred function: bpf/nethttp/call.h has the
 * same. */
struct deferring_offsets {
	__u32 stream_type, stream_data, error_type, error_data, frame, above;
};

struct call_offsets {
	struct deferring_offsets deferring;
	__u32 g_goid;
	__u32 g_stack, stack_hi;
	__u32 conn_target;    /* ClientConn.target: the name that the program asked for */
	__u32 stream_attempt; /* clientStream.attempt: the last one */
	__u32 attempt_transport;
	__u32 remote_addr;			 /* http2Client.remoteAddr */
	__u32 transport_conn, transport_next_id; /* http2Client.conn and .nextID */
	__u32 transport_framer, framer_fr;	 /* http2Client.framer, and framer.fr */
	/* A ClientStream begins with its Stream, as a ServerStream does: stream.h. */
	__u32 stream_pointer, stream_inside, stream_context;
	__u32 outgoing_key;	 /* type: of the key of the metadata in a context */
	__u32 raw_md, raw_added; /* metadata.rawMD.md and .added */
	/* Functions: the first method of a ClientStream, by type, and of a transport. */
	__u32 stream_close_send, wrapper_close_send, http2_close;
	__u32 wrapper_stream; /* clientStreamWrapper.ClientStream */
	struct status_offsets status;
	struct type_offsets type;
	struct conn_offsets conn;
	struct parent_offsets parent;
	struct context_offsets context;
	struct map_offsets map;
	/* The captured variables that are the transport and the stream, once announce_call has
	 * found them. */
	__u32 captured_transport, captured_stream;
	__u32 announce_site; /* the site of announce_call, a distance like the next */
	__u32 site;	     /* the site of start_call, a distance from the start of the code */
};

struct call_span {
	struct span_head head;
	__u64 depth;   /* of the frame of newClientStream */
	__u64 text;    /* address of the binary's code; 0: not known */
	__u64 context; /* address of the call's context */
	struct peer peer;
	__u64 claim; /* claim_of its key, until a program ends it */
	__u32 code;
	__u16 used;   /* bytes of texts that follow */
	__u8 failed;  /* the call ended with an error whose code is not known */
	__u8 partial; /* a part that is there could not be read */
	struct text method, target, socket, error;
	__u8 texts[TEXTS_SIZE] __attribute__((aligned(8)));
	/* The rest is no part of the record. */
	struct span_key announced; /* the key of its announcement; 0: none */
};

#define OPERATION struct call_span
#define OFFSETS struct call_offsets
#include "operation.h"

/* The address of the clientStream in the result of newClientStream. 0: the stream is of another
 * type. */
static __always_inline __u64 stream_of(const struct call_offsets *o, __u64 text,
				       const struct go_interface *stream)
{
	struct go_interface inside;

	if (o->conn.itab_fun == ABSENT || !text)
		return 0;
	if (holds(o->conn.itab_fun, text, stream, o->stream_close_send))
		return stream->data;
	if (o->wrapper_stream == ABSENT ||
	    !holds(o->conn.itab_fun, text, stream, o->wrapper_close_send) ||
	    go_read(&inside, stream->data, o->wrapper_stream))
		return 0;
	return holds(o->conn.itab_fun, text, &inside, o->stream_close_send) ? inside.data : 0;
}

/* Reads the peer of the connection that the last attempt used, if there is one. False: the peer
 * could not be read. */
static __always_inline bool read_call_peer(struct call_span *span, const struct call_offsets *o,
					   __u64 stream)
{
	struct go_interface transport, addr;
	struct go_string name = {};
	__u64 attempt;

	if (!span->text || o->remote_addr == ABSENT || o->attempt_transport == ABSENT)
		return true;
	if (go_read(&attempt, stream, o->stream_attempt))
		return false;
	if (!attempt)
		return true;
	if (go_read(&transport, attempt, o->attempt_transport))
		return false;
	if (!holds(o->conn.itab_fun, span->text, &transport, o->http2_close))
		return true;
	if (go_read(&addr, transport.data, o->remote_addr))
		return false;
	read_addr(&o->conn, span->text, &addr, &span->peer, &name);
	return span->peer.kind != PEER_UNIX || span->socket.length ||
	       COPY(span, socket, &name, SOCKET_LIMIT);
}
