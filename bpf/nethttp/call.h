/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* A call of a Transport: its entry, its offsets, and the reading of its request. */
#pragma once

#include "types.h"
#include "go.h"
#include "gotype.h"
#include "incoming.h"
#include "netconn.h"
#include "parent.h"
#include "span.h"

/* Bytes that a record keeps of each text. */
enum text_limit {
	METHOD_LIMIT = 32,
	SCHEME_LIMIT = 16,
	HOST_LIMIT = 128,
	PATH_LIMIT = 640,
	QUERY_LIMIT = 640,
	SOCKET_LIMIT = 108, /* a path of sockaddr_un */
	ERROR_LIMIT = 128,
};
#define TEXTS_SIZE                                                                            \
	(METHOD_LIMIT + SCHEME_LIMIT + HOST_LIMIT + PATH_LIMIT + QUERY_LIMIT + SOCKET_LIMIT + \
	 ERROR_LIMIT)

/* A value in place of a status. */
enum response_status {
	STATUS_UNREADABLE = 0xffff,
};

/* Redirects that are counted at the most: net/http follows ten. */
#define MAX_RESENDS 16

/* The offsets in a stream of an HTTP/2 client, and in its connection. */
struct sent_offsets {
	__u32 conn;	  /* ClientConn.tconn */
	__u32 framer;	  /* ClientConn.fr */
	__u32 id, client; /* clientStream.ID and .cc */
};

/* The places of roundTrip's results in its deferred function. The results have offsets from the
 * lower end of roundTrip's frame. `frame` is the frame's size up to the return address, and `above`
 * its distance from the stack pointer. ABSENT: the returns have probes instead. */
struct deferring_offsets {
	__u32 response, error_type, error_data, frame, above;
};

struct client_offsets {
	struct deferring_offsets deferring;
	__u32 g_goid;
	__u32 g_stack;
	__u32 stack_hi;
	__u32 request_method, request_url, request_response, request_context, request_header;
	__u32 url_scheme, url_opaque, url_host, url_path, url_raw_path, url_raw_query;
	__u32 response_status, response_proto_major, response_proto_minor, response_request;
	/* The net.Conn of a connection: HTTP/1, and HTTP/2 as in struct server_offsets. */
	__u32 http1_conn, http1_writer; /* persistConn.conn and .bw */
	struct sent_offsets bundled, internal, net;
	struct type_offsets type;
	struct conn_offsets conn;
	struct parent_offsets parent;
	struct map_offsets map;
	/* The sites before a stream is sent, and where a call begins: distances from the start of
	 * the code. */
	__u32 bundled_site, internal_site, net_stream_site;
	__u32 site, net_site;
};

struct client_span {
	struct span_head head;
	__u64 depth; /* of roundTrip's frame, from the top of the stack: frame_depth */
	__u64 text;  /* address of the binary's code; 0: not known */
	struct peer peer;
	__u16 status; /* 0: there was no response */
	__u8 proto_major;
	__u8 proto_minor;
	__u8 net;     /* its Transport is that of golang.org/x/net/http2 */
	__u8 failed;  /* roundTrip returned an error */
	__u8 resends; /* 0: the first request */
	__u8 raw;     /* the program itself has escaped the path */
	__u8 opaque;  /* the path is the opaque part of the URL, behind the scheme */
	__u8 partial; /* a part that is there could not be read */
	__u16 used;   /* bytes of texts that follow */
	__u8 reserved[4];
	struct text method, scheme, host, path, query, socket, error;
	__u8 texts[TEXTS_SIZE] __attribute__((aligned(8)));
	/* The rest is no part of the record. */
	struct connection connection; /* of HTTP/1, on which the call was announced */
};

#define OPERATION struct client_span
#define OFFSETS struct client_offsets
#include "operation.h"

/* The parts of a net/http.Request and its URL that a call reads. */
struct wanted {
	struct go_string method, scheme, opaque, host, path, raw_path, query;
	struct go_interface context;
	__u64 url, response, header;
};

/* Structs are read in one piece, as in request.h. The working memory of start_call lies in the
 * entry, in the room of the last texts. */
#define REQUEST_PIECE 256
#define URL_PIECE 128
#define WORK_AT ((TEXTS_SIZE - ERROR_LIMIT - SOCKET_LIMIT + 7) & ~7)
_Static_assert(sizeof(struct wanted) <= TEXTS_SIZE - WORK_AT, "no room to work in");
_Static_assert(REQUEST_PIECE <= WORK_AT, "no room for a request");
#define HEADERS_AT ((sizeof(struct map_group) + 7) & ~7)
_Static_assert(HEADERS_AT + sizeof(struct wanted_headers) <= WORK_AT,
	       "no room for a group of map entries");

static __always_inline bool read_wanted(struct wanted *to, __u8 *piece,
					const struct client_offsets *o, __u64 request)
{
	bool have = !bpf_probe_read_user(piece, REQUEST_PIECE, (const void *)request);

	if (!go_take(&to->method, piece, have, REQUEST_PIECE, request, o->request_method) ||
	    !go_take(&to->url, piece, have, REQUEST_PIECE, request, o->request_url) ||
	    !go_take(&to->context, piece, have, REQUEST_PIECE, request, o->request_context) ||
	    !go_take(&to->header, piece, have, REQUEST_PIECE, request, o->request_header) ||
	    !go_take(&to->response, piece, have, REQUEST_PIECE, request, o->request_response) ||
	    !to->url)
		return false;
	have = !bpf_probe_read_user(piece, URL_PIECE, (const void *)to->url);
	return go_take(&to->scheme, piece, have, URL_PIECE, to->url, o->url_scheme) &&
	       go_take(&to->opaque, piece, have, URL_PIECE, to->url, o->url_opaque) &&
	       go_take(&to->host, piece, have, URL_PIECE, to->url, o->url_host) &&
	       go_take(&to->path, piece, have, URL_PIECE, to->url, o->url_path) &&
	       go_take(&to->raw_path, piece, have, URL_PIECE, to->url, o->url_raw_path) &&
	       go_take(&to->query, piece, have, URL_PIECE, to->url, o->url_raw_query);
}

/* Counts the requests that led to this one. Each redirected request has the response that caused it
 * (src/net/http/client.go, (*Client).do). */
static __always_inline __u8 count_resends(const struct client_offsets *o, __u64 response)
{
	__u8 n = 0;

	for (__u32 i = 0; i < MAX_RESENDS; i++) {
		__u64 request;

		if (!response)
			break;
		n++;
		if (go_read(&request, response, o->response_request) || !request ||
		    go_read(&response, request, o->request_response))
			break;
	}
	return n;
}

/* Whether the program itself names the request's parent in a header. Such a program has a span of
 * its own for the request. */
static __always_inline bool says_parent(struct client_span *span, const struct client_offsets *o,
					__u64 header)
{
	struct wanted_headers *wanted = (struct wanted_headers *)(span->texts + HEADERS_AT);

	__builtin_memset(wanted, 0, sizeof(*wanted));
	return o->request_header != ABSENT && header &&
	       search_headers(header, &o->map, (struct map_group *)span->texts, wanted) &&
	       wanted->traceparent.length > 0;
}

/* Copies the request of a call. False: a part could not be read. */
static __always_inline bool copy_call(struct client_span *span, const struct client_offsets *o,
				      struct wanted *wanted)
{
	bool complete = true;

	span->resends = count_resends(o, wanted->response);
	complete &= COPY(span, method, &wanted->method, METHOD_LIMIT);
	complete &= COPY(span, scheme, &wanted->scheme, SCHEME_LIMIT);
	complete &= COPY(span, host, &wanted->host, HOST_LIMIT);
	if (wanted->opaque.length > 0) {
		span->opaque = 1;
		complete &= COPY(span, path, &wanted->opaque, PATH_LIMIT);
	} else if (wanted->raw_path.length > 0) {
		span->raw = 1;
		complete &= COPY(span, path, &wanted->raw_path, PATH_LIMIT);
	} else {
		complete &= COPY(span, path, &wanted->path, PATH_LIMIT);
	}
	complete &= COPY(span, query, &wanted->query, QUERY_LIMIT);
	return complete;
}
