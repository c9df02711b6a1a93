/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The operations of an HTTP server: its requests. */
#pragma once

#include "types.h"
#include "go.h"
#include "gotype.h"
#include "request.h"

/* The server of a request. */
enum server {
	SERVER_NETHTTP,	 /* net/http: HTTP/1, and its own HTTP/2 */
	SERVER_INTERNAL, /* streams of net/http/internal/http2, in its own structs */
	SERVER_NET,	 /* streams of golang.org/x/net/http2 */
};

#define OPERATION struct server_span
#define OFFSETS struct server_offsets
#include "operation.h"
#include "keep.h"

/* The address of the binary's code in the process. 0: the address is not known. */
static __always_inline __u64 text_of(struct pt_regs *ctx, const struct server_offsets *o,
				     enum server server)
{
	__u32 site = server == SERVER_NETHTTP	 ? o->serve_site
		     : server == SERVER_INTERNAL ? o->stream_site
						 : o->net_site;

	return site == ABSENT ? 0 : GO_PC(ctx) - site;
}
