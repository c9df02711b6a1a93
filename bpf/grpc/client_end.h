/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The end of a call, and the binding of a call to its stream. */
#pragma once

#include "announcement.h"
#include "call.h"

/* Finishes a call that was claimed, with an error or without. */
static __always_inline int finish_call(const struct operation_key *key, struct call_span *span,
				       const struct call_offsets *o,
				       const struct go_interface *error, __u64 now)
{
	struct go_string name;

	span->code = error_code(&o->status, o->conn.itab_fun, span->text, error);
	span->failed = span->code >= CODE_UNKNOWN;
	if (span->code == CODE_UNREADABLE)
		span->partial = 1;
	/* An error's name that was never printed may lie in a page that is not resident. */
	if (span->code == CODE_NONE &&
	    (!span->text || !type_name(&o->type, span->text, error, &name) ||
	     !COPY(span, error, &name, ERROR_LIMIT)))
		span->partial = 1;
	if (span->partial)
		count(COUNTER_DEGRADED_UNREADABLE);
	/* An answered request was found by its server; a failed one may yet arrive. */
	if (span->announced.key && span->code == CODE_OK)
		move_span(&span->announced, way_state(span->head.span_id, WAY_ANNOUNCED),
			  WAY_ENDED);
	span->head.end = now;
	finish_operation(key, span, span->used);
	return 0;
}

/* The results of newClientStream, and the depth of its frame: frame_depth. */
struct returned {
	struct go_interface stream, error;
	__u64 depth;
};

/* Binds a call to its stream, whose address is the call's key from here on. */
BPF_SUBPROGRAM int bind_stream(struct operation_key *key, struct call_span *span,
			       const struct call_offsets *o, const struct returned *returned)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct operation_key by_stream;

	if (!key || !span || !o || !returned || span->depth != returned->depth)
		return 0; /* of another call, which this one has replaced */
	if (returned->error.type)
		return finish_call(key, span, o, &returned->error, now);
	by_stream = *key;
	by_stream.goid = stream_of(o, span->text, &returned->stream);
	if (!by_stream.goid) {
		lose_operation(key, COUNTER_LOST_UNSUPPORTED);
		return 0;
	}
	span->head.g = 0;
	span->claim = claim_of(&by_stream);
	/* An earlier call that is still there was garbage-collected without an end. */
	if (!add_entry(&by_stream, span)) {
		lose_unfinished(&by_stream);
		if (!add_entry(&by_stream, span)) {
			lose_operation(key, COUNTER_LOST_ACTIVE_SPANS_FULL);
			return 0;
		}
	}
	/* User space has swept and counted the first entry meanwhile, so there must be no
	 * second. */
	if (!remove_entry(key))
		remove_entry(&by_stream);
	return 0;
}
