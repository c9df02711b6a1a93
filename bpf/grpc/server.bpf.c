//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Server spans of google.golang.org/grpc.
 *
 * A call is one stream, and the address of the stream is its key. The programs see a call twice. A
 * goroutine begins to handle the stream (start_stream). Later a goroutine writes the status
 * (end_stream): the same one at the end, or another one that could not send or receive a message.
 * The first status is the one that goes out.
 *
 * Streams come through gRPC's own HTTP/2 transport, or through its http.Handler. The request of the
 * latter has begun in net/http, whose programs discard it. */
#include "stream.h"

#define OPERATION struct stream_span
#define OFFSETS struct stream_offsets
#include "operation.h"

/* Makes an entry for a stream. An unfinished stream at the same address is lost. False: there is no
 * room. */
BPF_SUBPROGRAM int make_entry(const struct operation_key *key)
{
	struct stream_span *old;

	if (!key)
		return false;
	if (add_entry(key, &empty_operation))
		return true;
	old = bpf_map_lookup_elem(&operations, key);
	if (old)
		end_served(&old->served, &old->head);
	lose_unfinished(key);
	return add_entry(key, &empty_operation);
}

/* Loses a stream that cannot be read. */
BPF_SUBPROGRAM int lose_new_stream(const struct operation_key *key, struct stream_span *span)
{
	if (!key || !span)
		return 0;
	end_served(&span->served, &span->head);
	lose_new_operation(key, COUNTER_LOST_UNREADABLE);
	return 0;
}

/* func (s *Server) handleStream(t transport.ServerTransport, stream *transport.ServerStream, …) */
SEC("uprobe")
int start_stream(struct pt_regs *ctx)
{
	struct go_interface transport = { GO_ARG1(ctx), GO_ARG2(ctx) };
	struct operation_key key = {};
	struct stream_offsets *o;
	struct stream_span *span;

	if (!enter(ctx, &key, &o))
		return 0;
	key.goid = GO_ARG3(ctx);
	if (!make_entry(&key)) {
		lose_without_entry(&key, COUNTER_LOST_ACTIVE_SPANS_FULL);
		return 0;
	}
	span = bpf_map_lookup_elem(&operations, &key);
	if (!span) {
		count(COUNTER_OPERATIONS); /* swept between the two calls, and counted there */
		return 0;
	}
	span->text = o->site == ABSENT ? 0 : GO_PC(ctx) - o->site;
	if (!copy_stream(span, o, &key, &transport, key.goid, GO_G(ctx), GO_ARG0(ctx)))
		return lose_new_stream(&key, span);
	count(COUNTER_OPERATIONS);
	start_head(ctx, &span->head, &key);
	if (go_read(&span->head.goid, GO_G(ctx), o->g_goid))
		span->head.g = 0;
	span->claim = claim_of(&key);
	return 0;
}

/* func (t *http2Server) writeStatus(s *ServerStream, st *status.Status) error
 * func (ht *serverHandlerTransport) writeStatus(s *ServerStream, st *status.Status) error */
SEC("uprobe")
int end_stream(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct stream_offsets *o;
	struct stream_span *span;

	if (!enter(ctx, &key, &o))
		return 0;
	key.goid = GO_ARG1(ctx);
	span = bpf_map_lookup_elem(&operations, &key);
	if (!span || !claim(&span->claim, &key))
		return 0; /* was lost as it began, began untraced, or has ended */
	if (span->head.flags & FLAG_SAMPLED) {
		span->code = read_code(&o->status, GO_ARG2(ctx));
		if (span->code == CODE_UNREADABLE)
			span->partial = 1;
		if (span->partial)
			count(COUNTER_DEGRADED_UNREADABLE);
	}
	end_served(&span->served, &span->head);
	span->head.end = now;
	finish_operation(&key, span, span->used);
	return 0;
}

/* The types by which Go decodes records. */
EXPORT_TYPE(enum, status_code);
EXPORT_TYPE(enum, text_limit);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
