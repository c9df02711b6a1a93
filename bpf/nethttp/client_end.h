/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The end of a call of a Transport. */
#pragma once

#include "announcement.h"
#include "call.h"

static __always_inline bool read_response(struct client_span *span, const struct client_offsets *o,
					  __u64 response)
{
	__u64 status, major, minor;

	if (go_read(&status, response, o->response_status) ||
	    go_read(&major, response, o->response_proto_major) ||
	    go_read(&minor, response, o->response_proto_minor)) {
		span->status = STATUS_UNREADABLE;
		return false;
	}
	span->status = status;
	span->proto_major = major;
	span->proto_minor = minor;
	return true;
}

/* The results of roundTrip, and the depth of its frame: frame_depth. */
struct returned {
	__u64 response, depth;
	struct go_interface error;
};

/* Finishes a call with the results of roundTrip. */
static __always_inline void finish_call(const struct operation_key *key, struct client_span *span,
					const struct client_offsets *o,
					const struct returned *returned, __u64 now)
{
	struct go_string name;

	if (span->depth != returned->depth)
		return; /* of another call, which this one has replaced */
	if (returned->error.type) {
		span->failed = 1;
		/* An error's name that was never printed may lie in a page that is not resident. */
		if (!span->text || !type_name(&o->type, span->text, &returned->error, &name) ||
		    !COPY(span, error, &name, ERROR_LIMIT))
			span->partial = 1;
	} else if (!returned->response || !read_response(span, o, returned->response)) {
		span->partial = 1;
	}
	if (span->partial)
		count(COUNTER_DEGRADED_UNREADABLE);
	/* An answered request was found by its server. A request without an answer may yet be
	 * found, and ends its connection. */
	if (span->connection.key.key && !span->failed)
		retract(&span->connection, 0, &span->head);
	span->head.end = now;
	finish_operation(key, span, span->used);
}

static __always_inline int finish_at_return(struct pt_regs *ctx, bool net)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key key = {};
	struct client_offsets *o;
	struct client_span *span = returning_operation(ctx, &key, &o);
	struct returned returned = { .response = GO_RESULT0(ctx),
				     .error = { GO_RESULT1(ctx), GO_RESULT2(ctx) } };

	if (!span || span->net != net)
		return 0;
	if (frame_depth(ctx, o->g_stack + o->stack_hi, &returned.depth))
		finish_call(&key, span, o, &returned, now);
	else
		lose_unfinished(&key);
	return 0;
}
