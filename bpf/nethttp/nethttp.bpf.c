//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Server spans of net/http over HTTP/1.
 *
 * A request is seen twice, both times on the goroutine of its connection:
 * serve_http when the server hands it to the handler, finish_request when the
 * handler is done; end_connection cleans up behind one that was never done.
 * What arrived is copied at the first, since the handler may
 * change or drop it; the status and the route are read at the second. */
#include "types.h"
#include "arch.h"
#include "counters.h"
#include "process.h"
#include "span.h"
#include "gomap.h"
#include "traceparent.h"
#include "request.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: binaries at a time */
	__type(key, __u32);
	__type(value, struct server_offsets);
} offsets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by the loader */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct operation_key);
	__type(value, struct server_span);
} requests SEC(".maps");

/* What a new entry starts from: a program's stack is too small to hold one,
 * and a scratch map would be shared with whatever preempts it. */
static const struct server_span empty_span;

static __always_inline bool goroutine_key(struct pt_regs *ctx, const struct server_offsets *o,
					  __u32 tgid, const struct process *process,
					  struct operation_key *key)
{
	key->tgid = tgid;
	key->generation = process->generation;
	return !go_read(&key->goid, GO_G(ctx), o->g_goid);
}

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
SEC("uprobe")
int serve_http(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = traced_process(ctx, tgid);
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span;
	__u64 response = GO_ARG2(ctx), request = GO_ARG3(ctx);
	struct work *work;
	__u32 binary;

	if (!process)
		return 0;
	binary = process->binary;
	o = bpf_map_lookup_elem(&offsets, &binary);
	if (!o)
		return 0;
	count(COUNTER_OPERATIONS);
	if (!goroutine_key(ctx, o, tgid, process, &key)) {
		count(COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (bpf_map_update_elem(&requests, &key, &empty_span, BPF_NOEXIST)) {
		/* Requests of a connection come one after the other: one that is
		 * still here had an end that was not seen. Whoever removes an
		 * entry counts it. */
		if (!bpf_map_delete_elem(&requests, &key))
			count(COUNTER_LOST_UNFINISHED);
		if (bpf_map_update_elem(&requests, &key, &empty_span, BPF_NOEXIST)) {
			count(COUNTER_LOST_MAP_FULL);
			return 0;
		}
	}
	span = bpf_map_lookup_elem(&requests, &key);
	if (!span)
		return 0; /* swept between the two calls, and counted there */
	work = (struct work *)(span->texts + WORK_AT);
	if (!read_request(&work->arrived, span->texts, o, request)) {
		count(COUNTER_LOST_UNREADABLE);
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	/* An HTTP/2 server comes here with a writer of its own. */
	if (work->arrived.proto_major != 1) {
		count(COUNTER_LOST_UNSUPPORTED);
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	if (!note_request(span, o, work)) {
		count(COUNTER_NOT_SAMPLED);
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	span->response = response;
	span->request = request;
	span->head.tgid = tgid;
	span->head.generation = key.generation;
	span->head.goid = key.goid;
	span->head.library = library;
	span->head.start = bpf_ktime_get_boot_ns();
	return 0;
}

/* The pattern of the ServeMux that chose the handler. Up to Go 1.21 there is
 * none, and with a mux of another make it stays empty. */
static __always_inline bool note_route(struct server_span *span, const struct server_offsets *o)
{
	__u64 pattern;

	if (o->request_pattern != ABSENT)
		return copy_field(span, &span->route, span->request, o->request_pattern, ROUTE_LIMIT);
	if (o->request_pat == ABSENT || o->pattern_str == ABSENT)
		return true;
	if (go_read(&pattern, span->request, o->request_pat))
		return false;
	return !pattern || copy_field(span, &span->route, pattern, o->pattern_str, ROUTE_LIMIT);
}

/* func (w *response) finishRequest() */
SEC("uprobe")
int finish_request(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = traced_process(ctx, tgid);
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span;
	__u64 status;
	__u32 binary, used;

	if (!process)
		return 0;
	binary = process->binary;
	o = bpf_map_lookup_elem(&offsets, &binary);
	if (!o || !goroutine_key(ctx, o, tgid, process, &key))
		return 0; /* its entry is swept and counted when the goroutine or the process goes */
	span = bpf_map_lookup_elem(&requests, &key);
	if (!span)
		return 0; /* began before it was traced, or was counted when it began */
	if (span->response != GO_ARG0(ctx)) {
		if (!bpf_map_delete_elem(&requests, &key))
			count(COUNTER_LOST_UNFINISHED); /* another request's end */
		return 0;
	}
	span->status = STATUS_UNREADABLE;
	if (!go_read(&status, span->response, o->response_status))
		span->status = status;
	else
		span->partial = 1;
	span->head.end = now;
	if (!note_route(span, o))
		span->partial = 1;
	if (span->partial)
		count(COUNTER_PARTIAL_UNREADABLE);
	used = span->used;
	bounded(used);
	if (used > TEXTS_SIZE)
		used = TEXTS_SIZE;
	submit(span, __builtin_offsetof(struct server_span, texts) + used);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* The deferred function of (*conn).serve, at the end of its goroutine. A request
 * that is still there then was never finished: its handler panicked, or took the
 * connection over. Without this its entry would stay until the process ends. */
SEC("uprobe")
int end_connection(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = traced_process(ctx, tgid);
	struct operation_key key = {};
	struct server_offsets *o;
	__u32 binary;

	if (!process)
		return 0;
	binary = process->binary;
	o = bpf_map_lookup_elem(&offsets, &binary);
	if (o && goroutine_key(ctx, o, tgid, process, &key) && !bpf_map_delete_elem(&requests, &key))
		count(COUNTER_LOST_UNFINISHED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
