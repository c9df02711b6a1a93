/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The begin of a call of a Transport. */
#pragma once

#include "call.h"

/* Begins a call, unless it is a part of another call. */
static __always_inline int begin_call(struct pt_regs *ctx, __u64 request, bool net)
{
	struct caller caller = { .g = GO_G(ctx) };
	struct operation_key key = {};
	struct client_offsets *o;
	struct client_span *span;
	struct wanted *wanted;
	__u64 depth;
	__u32 site;
	bool noted;

	if (!enter(ctx, &key, &o))
		return 0;
	if (go_read(&key.goid, GO_G(ctx), o->g_goid) ||
	    !frame_depth(ctx, o->g_stack + o->stack_hi, &depth)) {
		lose_without_entry(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (!add_entry(&key, &empty_operation)) {
		span = bpf_map_lookup_elem(&operations, &key);
		if (span && net && !span->net && span->depth < depth)
			return 0;
		/* The earlier call panicked, or has this call made within. */
		lose_unfinished(&key);
		if (!add_entry(&key, &empty_operation)) {
			lose_without_entry(&key, COUNTER_LOST_ACTIVE_SPANS_FULL);
			return 0;
		}
	}
	caller.goid = key.goid;
	span = bpf_map_lookup_elem(&operations, &key);
	if (!span) {
		count(COUNTER_OPERATIONS); /* swept between the two calls, and counted there */
		return 0;
	}
	wanted = (struct wanted *)(span->texts + WORK_AT);
	if (!read_wanted(wanted, span->texts, o, request)) {
		lose_new_operation(&key, COUNTER_LOST_UNREADABLE);
		return 0;
	}
	if (says_parent(span, o, wanted->header)) {
		discard_new_operation(&key, COUNTER_SELF_TRACED);
		return 0;
	}
	span->partial = !copy_call(span, o, wanted);
	span->depth = depth;
	span->net = net;
	site = net ? o->net_site : o->site;
	if (site != ABSENT)
		span->text = GO_PC(ctx) - site;
	caller.text = span->text;
	noted = inherit_inside(&span->head, &key, &caller, &o->parent, &wanted->context);
	count(COUNTER_OPERATIONS);
	start_head(ctx, &span->head, &key);
	if (noted)
		note_caller(&key, &span->head);
	return 0;
}
