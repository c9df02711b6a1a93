//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Server spans of net/http and golang.org/x/net/http2.
 *
 * The programs see a request twice, both times on the goroutine that runs its handler: as the
 * server calls the handler, and as the handler is done.
 *
 *	HTTP/1	serve_http	  finish_request
 *	HTTP/2	serve_http	  end_stream
 *	x/net	start_net_stream  end_net_stream  (its own server)
 *	x/net	start_stream	  end_stream	  (the server of Go 1.27, without serverHandler)
 *
 * end_connection sees the requests that finish_request never gets: handlers that panicked, or took
 * their connection over. The first program copies the request, since the handler may change it.
 * The second reads the status and the route. */
#include "server_begin.h"
#include "server_end.h"

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
SEC("uprobe")
int serve_http(struct pt_regs *ctx)
{
	begin_request(ctx, GO_ARG2(ctx), GO_ARG3(ctx), SERVER_NETHTTP);
	return 0;
}

/* func (h http2Handler) ServeHTTP(w *http2.ResponseWriter, req *http2.ServerRequest) */
SEC("uprobe")
int start_stream(struct pt_regs *ctx)
{
	begin_request(ctx, GO_ARG2(ctx), GO_ARG3(ctx), SERVER_INTERNAL);
	return 0;
}

/* func (sc *serverConn) runHandler(rw *responseWriter, req *http.Request, …) */
SEC("uprobe")
int start_net_stream(struct pt_regs *ctx)
{
	begin_request(ctx, GO_ARG1(ctx), GO_ARG2(ctx), SERVER_NET);
	return 0;
}

/* func (w *response) finishRequest() */
SEC("uprobe")
int finish_request(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy_operation(ctx, &key, &o);

	if (!span)
		return 0; /* began untraced, or was counted when it began */
	if (span->response != GO_ARG0(ctx)) {
		lose_unfinished_request(&key, span); /* the end of another request */
		return 0;
	}
	span->head.end = now;
	return finish_with_status(&key, span, o, span->response, o->response_status);
}

/* The deferred function of (*conn).serve, at the end of its goroutine. A request that is still
 * there was never finished: its handler panicked, or took the connection over. */
SEC("uprobe")
int end_connection(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = running_operation(ctx, &key, &o);

	if (!span)
		return 0;
	if (span->head.keeping == KEEPING_IDLE) {
		release_entry(&key, span);
		return 0;
	}
	if (!read_ending(ctx, span, o, ENDING_HIJACKED)) {
		lose_unfinished_request(&key, span);
		return 0;
	}
	span->head.end = now;
	return finish_with_status(&key, span, o, span->response, o->response_status);
}

/* The deferred function of (*serverConn).runHandler, at the end of a stream. */
static __always_inline int end_any_stream(struct pt_regs *ctx, bool net)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy_operation(ctx, &key, &o);

	if (!span)
		return 0;
	if (!read_ending(ctx, span, o, ENDING_RETURNED)) {
		lose_unfinished_request(&key, span);
		return 0;
	}
	span->head.end = now;
	if (net)
		return finish_stream(&key, span, o, &o->net);
	if (o->internal.status != ABSENT)
		return finish_stream(&key, span, o, &o->internal);
	return finish_stream(&key, span, o, &o->bundled);
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

/* The request goes no further, or counts as another operation. The server of x/net answers in place
 * of the handler. Or it is about to serve the connection of the request, and with that the request
 * itself, as a stream. */
SEC("uprobe")
int discard_request(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy_operation(ctx, &key, &o);

	if (!span)
		return 0;
	replace_by_parent(&span->served.context, &span->head);
	discard_served_request(&key, span);
	return 0;
}

/* func (rws *responseWriterState) writeHeader(code int)
 *
 * Reads the status if the offset of the status is not known. A handler may have another goroutine
 * write, or write nothing before its end: the request has no status then. */
SEC("uprobe")
int note_net_status(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span = busy_operation(ctx, &key, &o);

	/* A server sends statuses up to 199 ahead of the response: RFC 9110, section 15.2. */
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
	struct server_span *span = busy_operation(ctx, &key, &o);

	if (span && span->request != GO_ARG3(ctx) && is_copy(GO_ARG3(ctx), span, o))
		span->copy = GO_ARG3(ctx);
	return 0;
}

/* The types by which Go decodes records. */
EXPORT_TYPE(enum, ending);
EXPORT_TYPE(enum, response_status);
EXPORT_TYPE(enum, text_limit);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
