/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* A request that an HTTP server handles: its entry, its offsets, and the reading of the request. */
#pragma once

#include "types.h"
#include "go.h"
#include "incoming.h"
#include "netconn.h"
#include "parent.h"
#include "span.h"

/* Bytes that a record keeps of each text. */
enum text_limit {
	METHOD_LIMIT = 32,
	TARGET_LIMIT = 640,
	HOST_LIMIT = 128,
	REMOTE_LIMIT = 64,
	USER_AGENT_LIMIT = 192,
	ROUTE_LIMIT = 192,
};
#define LINE_LIMIT (METHOD_LIMIT + 1 + TARGET_LIMIT)
#define TEXTS_SIZE \
	(TRACESTATE_LIMIT + LINE_LIMIT + HOST_LIMIT + REMOTE_LIMIT + USER_AGENT_LIMIT + ROUTE_LIMIT)

/* A value in place of a status. */
enum response_status {
	STATUS_UNREADABLE = 0xffff,
};

/* The way from the writer of an HTTP/2 stream to its connection. */
struct stream_offsets {
	__u32 writer; /* responseWriter.rws, its state */
	__u32 status; /* responseWriterState.status */
	__u32 stream; /* responseWriterState.stream */
	__u32 id;     /* stream.id */
	__u32 server; /* stream.sc */
	__u32 conn;   /* serverConn.conn */
};

/* A request: net/http.Request, or ServerRequest of net/http/internal/http2. */
struct request_offsets {
	__u32 method;
	__u32 proto_major;
	__u32 proto_minor;
	__u32 header;
	__u32 host;
	__u32 remote_addr;
	__u32 request_uri;
	__u32 tls;
	__u32 context;
};

struct server_offsets {
	__u32 g_goid;
	__u32 g_panic;
	__u32 panic_arg;
	__u32 panic_goexit;
	struct request_offsets request;
	__u32 request_url;
	__u32 request_pattern; /* Go 1.23 and later */
	__u32 request_pat;     /* Go 1.22 */
	__u32 pattern_str;     /* Go 1.22 */
	__u32 url_path;
	struct request_offsets server_request; /* net/http/internal/http2.ServerRequest */
	__u32 response_status;
	struct stream_offsets bundled;	/* in net/http, up to Go 1.26 */
	struct stream_offsets internal; /* net/http/internal/http2 */
	struct stream_offsets net;	/* golang.org/x/net/http2 */
	struct map_offsets map;
	struct conn_offsets conn;
	struct parent_offsets parent;
	__u32 response_conn; /* net/http.response.conn */
	__u32 conn_rwc;	     /* net/http.conn.rwc */
	/* The first method of a stream's writer, which identifies the type: gotype.h. */
	__u32 stream_writer;
	/* The sites at which a request begins, as distances from the start of the code. */
	__u32 serve_site, stream_site, net_site;
	/* Whether these hooks are attached: 1 or 0. */
	__u32 ends_streams;
	__u32 ends_net_streams;
	__u32 watches_muxes;
};

/* The end of a request. */
enum ending {
	ENDING_RETURNED, /* its handler returned */
	ENDING_PANICKED, /* its handler panicked, and nobody recovered */
	ENDING_ABORTED,	 /* its handler panicked with http.ErrAbortHandler, which is no mistake */
	ENDING_EXITED,	 /* runtime.Goexit */
	ENDING_HIJACKED, /* its handler took the connection over */
};

/* The text of a connection's peer, which is the same for all of its requests
 * (src/net/http/server.go, (*conn).readRequest). A copy of this takes a tenth of the time of a read
 * from the target. */
struct remote_text {
	__u64 data; /* address of its bytes; 0: none */
	__u64 length;
	__u64 words[SHORT_TEXT / sizeof(__u64)];
};

struct server_span {
	struct span_head head;
	__u64 response; /* address of the writer: net/http.response, or an HTTP/2 responseWriter */
	__u64 request;	/* address of its net/http.Request; 0: not known */
	__u64 target_data; /* address of the bytes of its RequestURI */
	__u64 copy;	   /* address of a copy that a ServeMux got; 0: none */
	__u16 status;	   /* 0: the handler wrote nothing */
	__u8 proto_major;
	__u8 proto_minor;
	__u8 tls;
	__u8 joined;  /* one byte lies between the method and the target */
	__u8 partial; /* a part that is there could not be read */
	__u8 ending;  /* enum ending */
	__u16 used;   /* bytes of texts that follow */
	/* enum inherited. The verifier does not know a value that is read back from the entry, and
	 * so follows one path instead of one for each value. */
	__u8 inherited;
	struct text tracestate, method, target, host, remote, user_agent, route;
	__u8 texts[TEXTS_SIZE] __attribute__((aligned(8)));
	/* The rest is no part of the record. */
	struct served served;
	/* Of HTTP/1, for as long as the entry is kept. */
	struct connection connection;
	struct remote_text remote_text;
	struct random random;
};

/* The parts of a net/http.Request that a server's programs read. */
struct arrived {
	struct go_string method, target, host, remote;
	struct go_interface context;
	__u64 header, tls, proto_major, proto_minor;
};

/* Bytes of a request that are read in one piece. A read of the target's memory costs the same for 8
 * bytes as for 256. The struct has 232 to 248 bytes from Go 1.21 to 1.27, in a size class of 240 or
 * 256. */
#define REQUEST_PIECE 256

/* The working memory of serve_http. It lies in the entry, in the room of the route, which is filled
 * last. A program's stack is 512 bytes, including those of the functions that it calls. */
struct work {
	struct arrived arrived;
	struct wanted_headers wanted;
};
#define WORK_AT ((TEXTS_SIZE - ROUTE_LIMIT + 7) & ~7)
_Static_assert(sizeof(struct work) <= TEXTS_SIZE - WORK_AT, "no room to work in");
_Static_assert(sizeof(struct map_group) <= WORK_AT, "no room for a group of map entries");

BPF_SUBPROGRAM bool read_request(struct arrived *arrived, const struct request_offsets *o,
				 __u64 request)
{
	__u8 piece[REQUEST_PIECE] __attribute__((aligned(8)));
	bool have;

	if (!arrived || !o)
		return false;
	have = !bpf_probe_read_user(piece, REQUEST_PIECE, (const void *)request);
	return go_take(&arrived->method, piece, have, REQUEST_PIECE, request, o->method) &&
	       go_take(&arrived->target, piece, have, REQUEST_PIECE, request, o->request_uri) &&
	       go_take(&arrived->host, piece, have, REQUEST_PIECE, request, o->host) &&
	       go_take(&arrived->remote, piece, have, REQUEST_PIECE, request, o->remote_addr) &&
	       go_take(&arrived->context, piece, have, REQUEST_PIECE, request, o->context) &&
	       go_take(&arrived->header, piece, have, REQUEST_PIECE, request, o->header) &&
	       go_take(&arrived->tls, piece, have, REQUEST_PIECE, request, o->tls) &&
	       go_take(&arrived->proto_major, piece, have, REQUEST_PIECE, request,
		       o->proto_major) &&
	       go_take(&arrived->proto_minor, piece, have, REQUEST_PIECE, request, o->proto_minor);
}

/* Copies the method and the target in one read. They are parts of one line, "METHOD TARGET PROTO"
 * (src/net/http/request.go, parseRequestLine). */
static __always_inline bool copy_request_line(struct server_span *span,
					      const struct go_string *method,
					      const struct go_string *target)
{
	__u64 first = method->length, second = target->length;
	__u32 at = span->used;
	bool copied;

	if (target->data != method->data + first + 1 || first - 1 >= METHOD_LIMIT ||
	    (__s64)second <= 0) {
		copied = COPY(span, method, method, METHOD_LIMIT);
		return COPY(span, target, target, TARGET_LIMIT) && copied;
	}
	span->target.whole = second > 0xffff ? 0xffff : second;
	if (second > TARGET_LIMIT)
		second = TARGET_LIMIT;
	bounded(at);
	bounded(first);
	bounded(second);
	if (at > TEXTS_SIZE - LINE_LIMIT || first > METHOD_LIMIT || second > TARGET_LIMIT ||
	    copy_bytes(span->texts + at, first + 1 + second, LINE_LIMIT, method->data)) {
		/* The end of the line may lie in a page that the target has not touched. */
		copied = COPY(span, method, method, METHOD_LIMIT);
		return COPY(span, target, target, TARGET_LIMIT) && copied;
	}
	span->joined = 1;
	span->method.length = span->method.whole = first;
	span->target.length = second;
	span->used = at + first + 1 + second;
	return true;
}

static __always_inline bool copy_remote(struct server_span *span, const struct go_string *remote)
{
	struct remote_text *known = &span->remote_text;
	__u32 at = span->used;
	bool again;

	bounded(at);
	if (at > TEXTS_SIZE - REMOTE_LIMIT)
		return false;
	again = known->data && known->data == remote->data && known->length == remote->length;
	if (again) {
		put_short(span->texts + at, known->words);
		span->remote.length = span->remote.whole = known->length;
		span->used = at + known->length;
		return true;
	}
	if (!COPY(span, remote, remote, REMOTE_LIMIT))
		return false;
	known->data = remote->length > 0 && remote->length <= SHORT_TEXT ? remote->data : 0;
	known->length = remote->length;
	put_short((__u8 *)known->words, (__u64 *)(span->texts + at));
	return true;
}

/* Copies a request as it arrived. */
static __always_inline void copy_request(struct server_span *span, const struct server_offsets *o,
					 struct work *work)
{
	const struct arrived *arrived = &work->arrived;
	struct wanted_headers *wanted = &work->wanted;
	bool complete = !span->partial;

	complete &= copy_and_keep_tracestate(span->inherited, &span->head, &span->tracestate,
					     span->texts, &span->used, &wanted->tracestate,
					     o->parent.children);
	complete &= copy_request_line(span, &arrived->method, &arrived->target);
	complete &= COPY(span, host, &arrived->host, HOST_LIMIT);
	complete &= copy_remote(span, &arrived->remote);
	complete &= COPY_FIRST(span, user_agent, &wanted->user_agent, USER_AGENT_LIMIT);
	span->target_data = arrived->target.data;
	span->tls = !!arrived->tls;
	span->partial = !complete;
}
