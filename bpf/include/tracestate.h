/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What the requests that are made for a request say in their tracestate: what that one said, or
 * at what threshold its trace was sampled. It is kept only where requests can carry it. */
#pragma once

#include "types.h"
#include "counters.h"
#include "go.h"
#include "span.h"
#include "spancontext.h"

#define TRACESTATE_LIMIT 512 /* bytes that are kept */

struct state_key {
	__u8 trace_id[16];
	__u8 span_id[8]; /* of the request that is served */
};

struct kept_state {
	char text[TRACESTATE_LIMIT];
	__u16 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, struct state_key);
	__type(value, struct kept_state);
} tracestates SEC(".maps");

/* What is said of traces that were sampled at the threshold; nothing if all are. Set by the
 * loader. */
const volatile struct kept_state own_state;

static __always_inline struct state_key state_key(const __u8 *trace_id, const __u8 *span_id)
{
	struct state_key key;

	__builtin_memcpy(key.trace_id, trace_id, sizeof(key.trace_id));
	__builtin_memcpy(key.span_id, span_id, sizeof(key.span_id));
	return key;
}

/* Keeps the receiver's own for a request that is served, and was sampled at the threshold. */
static __always_inline void keep_own_state(const struct span_head *head)
{
	struct state_key key = state_key(head->trace_id, head->span_id);

	if (own_state.length && bpf_map_update_elem(&tracestates, &key, (const void *)&own_state, BPF_ANY))
		count(COUNTER_STATE_NOT_INJECTED);
}

/* Keeps the one that a request came with, which is what the texts of its record begin
 * with; nothing is behind it yet. It is passed on as it is or not at all: not if a part of it is missing,
 * or it is not what a header may have. */
called int keep_state(const struct span_head *head, const struct text *tracestate, __u8 *texts)
{
	struct kept_state *kept = (struct kept_state *)texts;
	struct state_key key;
	__u32 length;

	if (!head || !tracestate || !texts)
		return 0;
	length = tracestate->length;
	/* Where the threshold was applied to it, its own entry would have to be replaced. */
	if (length != tracestate->whole || length > TRACESTATE_LIMIT || !parent_based)
		goto dropped;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TRACESTATE_LIMIT; i++) {
		if (i >= length)
			break;
		if (kept->text[i] < ' ' || kept->text[i] > '~')
			goto dropped;
	}
	/* Which a header of HTTP/2 must neither begin nor end with. */
	if (kept->text[0] == ' ')
		goto dropped;
	if (length > 0 && kept->text[(length - 1) & (TRACESTATE_LIMIT - 1)] == ' ')
		goto dropped;
	kept->length = length;
	key = state_key(head->trace_id, head->span_id);
	if (!bpf_map_update_elem(&tracestates, &key, kept, BPF_ANY))
		return 0;
dropped:
	count(COUNTER_STATE_NOT_INJECTED);
	return 0;
}

/* What a request is to carry beside the context of its span, which was noted with its parent's id: what is
 * kept of that one, or of a root the receiver's own. It may make room for another at any time: who has read it looks
 * whether it is still there. */
static __always_inline const struct kept_state *find_state(const struct span_way *way)
{
	struct state_key key = state_key(way->trace_id, (const __u8 *)&way->extra);

	if (way->extra)
		return bpf_map_lookup_elem(&tracestates, &key);
	return own_state.length && way->flags & FLAG_SAMPLED ? (const struct kept_state *)&own_state : NULL;
}
