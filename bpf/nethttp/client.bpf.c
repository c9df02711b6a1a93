//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Client spans of net/http and golang.org/x/net/http2.
 *
 * A call is one roundTrip of a Transport, from its entry to its return. By then the headers of the
 * response have been read. (RoundTrip itself is inlined into programs that call it on a
 * *Transport.) The programs see a call three times, on the goroutine of the caller:
 *
 *	start_call, start_net_call	the call begins
 *	note_connection (…)		the call has a connection, and is announced
 *	end_call, end_deferring_call (…)	the call returns
 *
 * Over HTTP/2 another goroutine sends the request, and the announcement comes then
 * (announce_bundled_stream, …).
 *
 * The Transport of x/net also serves below that of net/http. Its work is then a part of a call, and
 * no call of its own. */
#include "call.h"
#include "client_begin.h"
#include "client_end.h"
#include "client_send.h"

/* func (t *Transport) roundTrip(req *Request) (*Response, error) */
SEC("uprobe")
int start_call(struct pt_regs *ctx)
{
	return begin_call(ctx, GO_ARG1(ctx), false);
}

/* func (t *Transport) RoundTripOpt(req *http.Request, opt RoundTripOpt) (*http.Response, error) */
SEC("uprobe")
int start_net_call(struct pt_regs *ctx)
{
	return begin_call(ctx, GO_ARG1(ctx), true);
}

/* func (pc *persistConn) roundTrip(req *transportRequest) (resp *Response, err error) */
SEC("uprobe")
int note_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running_operation(ctx, &key, &o);

	if (o)
		hand_over_request(ctx, &key, span, o);
	if (!span)
		return 0;
	if (read_connection(&o->conn, read_call_peer(ctx, span, o, o->http1_conn), END_CLIENT,
			    &span->connection))
		announce(&span->connection, 0, span->head.trace_id, span->head.span_id,
			 span->head.flags);
	return 0;
}

/* func (cc *ClientConn) roundTrip(req *Request, …) */
SEC("uprobe")
int note_bundled_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running_operation(ctx, &key, &o);

	return o ? hand_over_stream(ctx, &key, span, o, &o->bundled) : 0;
}

SEC("uprobe")
int note_internal_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running_operation(ctx, &key, &o);

	return o ? hand_over_stream(ctx, &key, span, o, &o->internal) : 0;
}

SEC("uprobe")
int note_net_connection(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o = NULL;
	struct client_span *span = running_operation(ctx, &key, &o);

	return o ? hand_over_stream(ctx, &key, span, o, &o->net) : 0;
}

/* func (cs *clientStream) encodeAndWriteHeaders(req *Request) error */
SEC("uprobe")
int announce_bundled_stream(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o;

	return enter(ctx, &key, &o) ? announce_stream(ctx, &key, o, &o->bundled, o->bundled_site)
				    : 0;
}

SEC("uprobe")
int announce_internal_stream(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o;

	return enter(ctx, &key, &o) ? announce_stream(ctx, &key, o, &o->internal, o->internal_site)
				    : 0;
}

SEC("uprobe")
int announce_net_stream(struct pt_regs *ctx)
{
	struct operation_key key = {};
	struct client_offsets *o;

	return enter(ctx, &key, &o) ? announce_stream(ctx, &key, o, &o->net, o->net_stream_site)
				    : 0;
}

SEC("uprobe")
int end_call(struct pt_regs *ctx)
{
	return finish_at_return(ctx, false);
}

SEC("uprobe")
int end_net_call(struct pt_regs *ctx)
{
	return finish_at_return(ctx, true);
}

/* The end of roundTrip's deferred function. The results are final, because the function leaves them
 * alone. The function also runs at a panic, but is not called from roundTrip's frame then. */
SEC("uprobe")
int end_deferring_call(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns(), frame;
	struct operation_key key = {};
	struct client_offsets *o;
	struct client_span *span = returning_operation(ctx, &key, &o);
	const struct deferring_offsets *at;
	struct returned returned = {};

	if (!span || span->net || o->deferring.frame == ABSENT)
		return 0;
	at = &o->deferring;
	frame = GO_SP(ctx) + at->above;
	if (!deferring_depth(ctx, o->g_stack + o->stack_hi, at->above, at->frame,
			     &returned.depth)) {
		lose_unfinished(&key);
		return 0;
	}
	if (span->depth != returned.depth)
		return 0;
	if (go_read(&returned.response, frame, at->response) ||
	    go_read(&returned.error.type, frame, at->error_type) ||
	    go_read(&returned.error.data, frame, at->error_data)) {
		lose_operation(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	finish_call(&key, span, o, &returned, now);
	return 0;
}

/* The types by which Go decodes records. */
EXPORT_TYPE(enum, response_status);
EXPORT_TYPE(enum, text_limit);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
