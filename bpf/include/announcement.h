/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Announcements. A client leaves the context of its span for the server at the other end of the
 * connection. The server finds the request's parent by this announcement. */
#pragma once

#include "types.h"
#include "connection.h"
#include "counters.h"
#include "parent.h"
#include "span.h"
#include "spancontext.h"

/* The key of a request, which is the same at both ends of its connection. */
static __always_inline struct span_key request_key(const struct connection *connection,
						   __u32 stream)
{
	struct span_key key = connection->key;

	add_to_key(&key, stream);
	return key;
}

/* Announces a request that is about to be sent: the server at the other end finds its parent. */
static __always_inline void announce(const struct connection *connection, __u32 stream,
				     const __u8 *trace_id, const __u8 *span_id, __u8 flags)
{
	struct span_key key = request_key(connection, stream);

	if (connection->uncertain)
		count(COUNTER_DEGRADED_UNKNOWN_CONNECTION);
	store_ids(&key, trace_id, span_id, flags, 0, WAY_ANNOUNCED);
}

/* Retracts the announcement of a request that was answered. Another request on the connection must
 * not find that announcement. */
static __always_inline void retract(const struct connection *connection, __u32 stream,
				    const struct span_head *head)
{
	struct span_key key = request_key(connection, stream);

	move_span(&key, way_state(head->span_id, WAY_ANNOUNCED), WAY_ENDED);
}

/* Finds the parent of a request that has arrived. */
BPF_SUBPROGRAM int inherit_announced(struct span_head *head, const struct connection *connection,
				     __u32 stream)
{
	struct span_way found = {};
	struct span_key key;

	if (!head || !connection)
		return INHERITED_NOTHING;
	key = request_key(connection, stream);
	if (read_span(&key, &found) != WAY_ANNOUNCED) {
		if (connection->uncertain)
			count(COUNTER_DEGRADED_UNKNOWN_CONNECTION);
		return INHERITED_NOTHING;
	}
	if (!move_span(&key, found.state, WAY_ENDED))
		return INHERITED_NOTHING;
	head->context |= CONTEXT_REMOTE_PARENT;
	return inherit_way(head, &found);
}
