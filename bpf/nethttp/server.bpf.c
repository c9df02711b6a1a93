//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Server spans of net/http and golang.org/x/net/http2.
 *
 * A request is seen twice, both times on the goroutine that runs its handler:
 * when the server hands it to the handler, and when the handler is done.
 *
 *	HTTP/1	serve_http	  finish_request
 *	HTTP/2	serve_http	  end_stream
 *	x/net	start_net_stream  end_net_stream  (its own server)
 *	x/net	start_stream	  end_stream	  (that of Go 1.27, without serverHandler)
 *
 * end_connection sees to what finish_request never gets: handlers that panicked,
 * or took their connection over. What arrived is copied at the first, since the
 * handler may change or drop it; the status and the route are read at the
 * second. */
#include "server.h"

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
SEC("uprobe")
int serve_http(struct pt_regs *ctx)
{
	start(ctx, GO_ARG2(ctx), GO_ARG3(ctx), SERVER_NETHTTP);
	return 0;
}

/* func (h http2Handler) ServeHTTP(w *http2.ResponseWriter, req *http2.ServerRequest) */
SEC("uprobe")
int start_stream(struct pt_regs *ctx)
{
	start(ctx, GO_ARG2(ctx), GO_ARG3(ctx), SERVER_INTERNAL);
	return 0;
}

/* func (sc *serverConn) runHandler(rw *responseWriter, req *http.Request, …) */
SEC("uprobe")
int start_net_stream(struct pt_regs *ctx)
{
	start(ctx, GO_ARG1(ctx), GO_ARG2(ctx), SERVER_NET);
	return 0;
}

/* func (w *response) finishRequest() */
SEC("uprobe")
int finish_request(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy(ctx, &key, &o);

	if (!span)
		return 0; /* began before it was traced, or was counted when it began */
	if (span->response != GO_ARG0(ctx)) {
		abandon(&key, span, COUNTER_LOST_UNFINISHED); /* another request's end */
		return 0;
	}
	span->head.end = now;
	return end(&key, span, o, span->response, o->response_status);
}

/* The deferred function of (*conn).serve, at the end of its goroutine. A request
 * that is still there then was never finished: its handler panicked, or took the
 * connection over. */
SEC("uprobe")
int end_connection(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = running(ctx, &key, &o);

	if (!span)
		return 0;
	if (span->head.keeping == KEEPING_IDLE) {
		take_out(&key, span);
		return 0;
	}
	if (!note_ending(ctx, span, o, ENDING_HIJACKED)) {
		abandon(&key, span, COUNTER_LOST_UNFINISHED);
		return 0;
	}
	span->head.end = now;
	return end(&key, span, o, span->response, o->response_status);
}

/* The deferred function of (*serverConn).runHandler, at the end of a stream. */
static __always_inline int end_any_stream(struct pt_regs *ctx, bool net)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy(ctx, &key, &o);

	if (!span)
		return 0;
	if (!note_ending(ctx, span, o, ENDING_RETURNED)) {
		abandon(&key, span, COUNTER_LOST_UNFINISHED);
		return 0;
	}
	span->head.end = now;
	if (net)
		return end_of_stream(&key, span, o, &o->net);
	if (o->internal.status != ABSENT)
		return end_of_stream(&key, span, o, &o->internal);
	return end_of_stream(&key, span, o, &o->bundled);
}

SEC("uprobe")
int end_stream(struct pt_regs *ctx)
{
	return end_any_stream(ctx, false);
}

SEC("uprobe")
int end_net_stream(struct pt_regs *ctx)
{
	return end_any_stream(ctx, true);
}

/* The request goes no further, or is to be counted as another: the server of x/net
 * answers in place of the handler, or is about to serve the connection on which the
 * request came, and with that the request itself, as a stream. */
SEC("uprobe")
int discard_request(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy(ctx, &key, &o);

	if (!span)
		return 0;
	replace_by_parent(&span->served.context, &span->head);
	abandon(&key, span, COUNTER_DISCARDED);
	return 0;
}

/* func (rws *responseWriterState) writeHeader(code int)
 *
 * Where it is not known at which offset it keeps the status. A handler that has
 * another goroutine write is not found here, and one that writes nothing does not
 * come here before its end: neither has a status then. */
SEC("uprobe")
int note_net_status(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy(ctx, &key, &o);

	/* Up to 199 they are sent ahead: RFC 9110, section 15.2. */
	if (span && GO_ARG1(ctx) >= 200 && is_status(GO_ARG1(ctx)) && !span->status)
		span->status = GO_ARG1(ctx);
	return 0;
}

/* func (mux *ServeMux) ServeHTTP(w ResponseWriter, r *Request) */
SEC("uprobe")
int note_copy(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy(ctx, &key, &o);

	if (span && span->request != GO_ARG3(ctx) && is_copy(GO_ARG3(ctx), span, o))
		span->copy = GO_ARG3(ctx);
	return 0;
}

/* What the Go side needs of a type that no map holds. */
const enum ending *ending_layout __attribute__((unused));

char LICENSE[] SEC("license") = "Dual MIT/GPL";
