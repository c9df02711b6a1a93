/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* How a request begins, and how it ends. */
#pragma once

#include "types.h"
#include "arch.h"
#include "counters.h"
#include "process.h"
#include "span.h"
#include "gomap.h"
#include "traceparent.h"
#include "panic.h"
#include "request.h"
#include "route.h"

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

/* What every program begins with. False: the hit is none of a traced process. */
static __always_inline bool begin(struct pt_regs *ctx, struct operation_key *key, struct server_offsets **o)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = entering_process(ctx, tgid);
	__u32 binary;

	if (!process)
		return false;
	binary = process->binary;
	key->tgid = tgid;
	key->generation = process->generation;
	*o = bpf_map_lookup_elem(&offsets, &binary);
	return *o;
}

/* The request that the goroutine is busy with. */
static __always_inline struct server_span *running(struct pt_regs *ctx, struct operation_key *key,
						   struct server_offsets **o)
{
	/* What a key that cannot be read leaves behind is swept and counted when
	 * the goroutine's connection or the process ends. */
	if (!begin(ctx, key, o) || go_read(&key->goid, GO_G(ctx), (*o)->g_goid))
		return NULL;
	return bpf_map_lookup_elem(&requests, key);
}

/* Removes a request that goes no further. Whoever removes an entry counts it. */
static __always_inline void remove(const struct operation_key *key, enum counter why)
{
	if (!bpf_map_delete_elem(&requests, key))
		count(why);
}

static __always_inline void give_up(const struct operation_key *key, enum counter why)
{
	count(COUNTER_OPERATIONS);
	remove(key, why);
}

/* Whether it is what a client says first that speaks HTTP/2 without having asked:
 * RFC 9113, section 3.4. The server of x/net gets it as a request. */
static __always_inline bool is_preface(const struct arrived *arrived)
{
	char method[3];

	return arrived->method.length == sizeof(method) && arrived->target.length == 1 &&
	       !go_read(&method, arrived->method.data, 0) && method[0] == 'P' && method[1] == 'R' && method[2] == 'I';
}

/* Begins a request, unless it has begun already. `internal`: it is none of
 * net/http's, but one of net/http/internal/http2. */
static __always_inline void start(struct pt_regs *ctx, __u64 response, __u64 request, bool internal)
{
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span;
	struct work *work;

	if (!begin(ctx, &key, &o))
		return;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid))
		return lose(COUNTER_LOST_UNREADABLE);
	if (bpf_map_update_elem(&requests, &key, &empty_span, BPF_NOEXIST)) {
		span = bpf_map_lookup_elem(&requests, &key);
		if (span && span->response == response && span->proto_major == 2) {
			span->request = request; /* a stream that has begun */
			return;
		}
		/* Requests of a connection come one after the other: one that is
		 * still here had an end that was not seen. */
		remove(&key, COUNTER_LOST_UNFINISHED);
		if (bpf_map_update_elem(&requests, &key, &empty_span, BPF_NOEXIST))
			return lose(COUNTER_LOST_MAP_FULL);
	}
	span = bpf_map_lookup_elem(&requests, &key);
	if (!span)
		return count(COUNTER_OPERATIONS); /* swept between the two calls, and counted there */
	work = (struct work *)(span->texts + WORK_AT);
	if (!read_request(&work->arrived, span->texts, internal ? &o->server_request : &o->request, request))
		return give_up(&key, COUNTER_LOST_UNREADABLE);
	if (work->arrived.proto_major != 1) {
		if (is_preface(&work->arrived)) {
			bpf_map_delete_elem(&requests, &key);
			return;
		}
		if (work->arrived.proto_major != 2 || !(o->ends_streams | o->ends_net_streams))
			return give_up(&key, COUNTER_LOST_UNSUPPORTED);
	}
	if (!note_request(span, o, work))
		return give_up(&key, COUNTER_NOT_SAMPLED);
	count(COUNTER_OPERATIONS);
	span->response = response;
	span->request = internal ? 0 : request;
	span->head.tgid = key.tgid;
	span->head.generation = key.generation;
	span->head.goid = key.goid;
	span->head.library = library;
	span->head.start = bpf_ktime_get_boot_ns();
}

/* Ends a request: its status is at the address `status_at` + `status_offset`. */
static __noinline int end(struct operation_key *key, struct server_span *span, const struct server_offsets *o,
			  __u64 status_at, __u32 status_offset)
{
	__u64 status;
	__u32 used;

	if (!key || !span || !o)
		return 0;
	if (status_offset != ABSENT && !go_read(&status, status_at, status_offset)) {
		span->status = status;
	} else if (!span->status) { /* none was noted either */
		span->status = STATUS_UNREADABLE;
		span->partial = 1;
	}
	if (!note_route(span, o))
		span->partial = 1;
	if (span->partial)
		count(COUNTER_PARTIAL_UNREADABLE);
	used = span->used;
	bounded(used);
	if (used > TEXTS_SIZE)
		used = TEXTS_SIZE;
	submit(span, __builtin_offsetof(struct server_span, texts) + used);
	bpf_map_delete_elem(&requests, key);
	return 0;
}

static __noinline int end_of_stream(struct operation_key *key, struct server_span *span,
				    const struct server_offsets *o, const struct stream_offsets *stream)
{
	__u64 state = 0;
	__u32 status;

	if (!span || !stream)
		return 0;
	status = stream->status;
	if (stream->writer == ABSENT || go_read(&state, span->response, stream->writer))
		status = ABSENT;
	return end(key, span, o, state, status);
}

/* Whether the value of a panic is http.ErrAbortHandler, the error of which
 * net/http makes no more than an end of the connection. It is known by its text,
 * since the variable has no name in a stripped binary. */
static __always_inline bool is_abort(const struct go_interface *value)
{
	static const char abort[] = "net/http: abort Handler";
	char found[sizeof(abort) - 1];
	struct go_string text;

	if (go_read(&text, value->data, 0) || text.length != sizeof(found) || go_read(&found, text.data, 0))
		return false;
	for (__u32 i = 0; i < sizeof(found); i++) {
		if (found[i] != abort[i])
			return false;
	}
	return true;
}

/* Says how a handler ended, at the entry of a deferred function of its server's. */
static __always_inline bool note_ending(struct pt_regs *ctx, struct server_span *span, const struct server_offsets *o,
					enum ending otherwise)
{
	struct go_interface value;

	switch (unwinding(GO_G(ctx), o->g_panic, o->panic_arg, o->panic_goexit, &value)) {
	case UNWINDING_NOT:
		span->ending = otherwise;
		return true;
	case UNWINDING_PANIC:
		span->ending = is_abort(&value) ? ENDING_ABORTED : ENDING_PANICKED;
		return true;
	case UNWINDING_GOEXIT:
		span->ending = ENDING_EXITED;
		return true;
	default:
		return false;
	}
}
