/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The end of a request, with a span or without. */
#pragma once

#include "panic.h"
#include "route.h"
#include "server.h"

/* Ends a request that has just begun, and counts how. A kept entry waits for the next request. */
static __always_inline void release_new_request(const struct operation_key *key,
						struct server_span *span, enum counter outcome)
{
	count(COUNTER_OPERATIONS);
	if (span->head.keeping == KEEPING_NOT)
		return release_and_count(key, outcome);
	span->head.keeping = KEEPING_IDLE;
	count_end(key, outcome);
}

/* Loses a request that has just begun. */
static __always_inline void lose_new_request(const struct operation_key *key,
					     struct server_span *span, enum counter why)
{
	release_new_request(key, span, why);
}

/* Discards a request that has just begun. */
static __always_inline void discard_new_request(const struct operation_key *key,
						struct server_span *span)
{
	release_new_request(key, span, COUNTER_DISCARDED);
}

/* Loses a request that was served, and whose end no program saw. */
static __always_inline void lose_unfinished_request(const struct operation_key *key,
						    struct server_span *span)
{
	end_served(&span->served, &span->head);
	release_kept_and_count(key, span, COUNTER_LOST_UNFINISHED);
}

/* Discards a request that was served. Another operation stands for it, or it was none. */
static __always_inline void discard_served_request(const struct operation_key *key,
						   struct server_span *span)
{
	end_served(&span->served, &span->head);
	release_kept_and_count(key, span, COUNTER_DISCARDED);
}

/* Whether net/http writes such a status: src/net/http/server.go, checkWriteHeaderCode. */
static __always_inline bool is_status(__u64 status)
{
	return status >= 100 && status <= 999;
}

/* Sends the span of a request that has ended. Its status is at the address `status_at` +
 * `status_offset`. */
static __always_inline void send_request(struct server_span *span, const struct server_offsets *o,
					 __u64 status_at, __u32 status_offset)
{
	__u64 status;

	if (status_offset != ABSENT && !go_read(&status, status_at, status_offset) &&
	    (!status || is_status(status))) {
		span->status = status;
	} else if (!span->status && span->ending == ENDING_RETURNED) {
		/* No hook has seen a status either. */
		span->status = STATUS_UNREADABLE;
		span->partial = 1;
	}
	if (!copy_route(span, o))
		span->partial = 1;
	if (span->partial)
		count(COUNTER_DEGRADED_UNREADABLE);
	send_operation(span, span->used);
}

/* Finishes a request, whose status is as above. A request that is not sampled was kept for its
 * children, and for the hooks that see it later. */
static __noinline int finish_with_status(struct operation_key *key, struct server_span *span,
					 const struct server_offsets *o, __u64 status_at,
					 __u32 status_offset)
{
	if (!key || !span || !o)
		return 0;
	if (span->head.flags & FLAG_SAMPLED)
		send_request(span, o, status_at, status_offset);
	else
		count(COUNTER_NOT_SAMPLED);
	end_served(&span->served, &span->head);
	/* The same goroutine serves the next request of the connection, unless this was the
	 * last. */
	if (span->proto_major != 1 || span->ending != ENDING_RETURNED || !keep_entry(span))
		release_entry(key, span);
	return 0;
}

static __noinline int finish_stream(struct operation_key *key, struct server_span *span,
				    const struct server_offsets *o,
				    const struct stream_offsets *stream)
{
	__u64 state = 0;
	__u32 status;

	if (!span || !stream)
		return 0;
	status = stream->status;
	if (!span->response || stream->writer == ABSENT ||
	    go_read(&state, span->response, stream->writer))
		status = ABSENT;
	return finish_with_status(key, span, o, state, status);
}

/* Whether the value of a panic is http.ErrAbortHandler. net/http takes that error as a mere end of
 * the connection. The error's text identifies it, since a stripped binary has no names of
 * variables. */
static __always_inline bool is_abort(const struct go_interface *value)
{
	static const char abort[] = "net/http: abort Handler";
	char found[sizeof(abort) - 1];
	struct go_string text;

	if (go_read(&text, value->data, 0) || text.length != sizeof(found) ||
	    go_read(&found, text.data, 0))
		return false;
	for (__u32 i = 0; i < sizeof(found); i++) {
		if (found[i] != abort[i])
			return false;
	}
	return true;
}

/* Finds out how a handler ended, at the entry of a deferred function of its server. False: the
 * reason could not be read. */
static __always_inline bool read_ending(struct pt_regs *ctx, struct server_span *span,
					const struct server_offsets *o, enum ending otherwise)
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
