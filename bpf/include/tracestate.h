/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The tracestate of requests that are made for a served request. It is the tracestate of the served
 * request, or the threshold at which its trace was sampled. The map exists only where requests can
 * carry a tracestate. */
#pragma once

#include "types.h"
#include "counters.h"
#include "go.h"
#include "span.h"
#include "spancontext.h"

/* The longest tracestate that is kept. */
enum tracestate_limit {
	TRACESTATE_LIMIT = 512, /* bytes that are kept */
};

struct tracestate_key {
	__u8 trace_id[16];
	__u8 span_id[8]; /* of the served request */
};

struct kept_tracestate {
	char text[TRACESTATE_LIMIT];
	__u16 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, struct tracestate_key);
	__type(value, struct kept_tracestate);
} tracestates SEC(".maps");

/* The tracestate of traces that were sampled at the threshold. Empty: all traces are sampled. The
 * loader sets this. */
const volatile struct kept_tracestate own_state;

static __always_inline struct tracestate_key tracestate_key(const __u8 *trace_id,
							    const __u8 *span_id)
{
	struct tracestate_key key;

	__builtin_memcpy(key.trace_id, trace_id, sizeof(key.trace_id));
	__builtin_memcpy(key.span_id, span_id, sizeof(key.span_id));
	return key;
}

/* Keeps the receiver's own tracestate for a served request that was sampled at the threshold. */
static __always_inline void keep_own_tracestate(const struct span_head *head)
{
	struct tracestate_key key = tracestate_key(head->trace_id, head->span_id);

	if (own_state.length &&
	    bpf_map_update_elem(&tracestates, &key, (const void *)&own_state, BPF_ANY))
		count(COUNTER_TRACESTATES_NOT_INJECTED);
}

/* Keeps the tracestate that a request came with. The texts of its record begin with this
 * tracestate, and have nothing behind it yet. An incomplete tracestate is not passed on, nor one
 * that a header may not have. */
BPF_SUBPROGRAM int keep_tracestate(const struct span_head *head, const struct text *tracestate,
				   __u8 *texts)
{
	struct kept_tracestate *kept = (struct kept_tracestate *)texts;
	struct tracestate_key key;
	__u32 length;

	if (!head || !tracestate || !texts)
		return 0;
	length = tracestate->length;
	/* If the threshold was applied to the trace, its own entry would have to be replaced. */
	if (length != tracestate->whole || length > TRACESTATE_LIMIT || !parent_based)
		goto not_kept;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TRACESTATE_LIMIT; i++) {
		if (i >= length)
			break;
		if (kept->text[i] < ' ' || kept->text[i] > '~')
			goto not_kept;
	}
	/* A header of HTTP/2 must neither begin nor end with a space. */
	if (kept->text[0] == ' ')
		goto not_kept;
	if (length > 0 && kept->text[(length - 1) & (TRACESTATE_LIMIT - 1)] == ' ')
		goto not_kept;
	kept->length = length;
	key = tracestate_key(head->trace_id, head->span_id);
	if (!bpf_map_update_elem(&tracestates, &key, kept, BPF_ANY))
		return 0;
not_kept:
	count(COUNTER_TRACESTATES_NOT_INJECTED);
	return 0;
}

/* Finds the tracestate that a request is to carry. It is that of the span's parent, or for a
 * root the receiver's own. `way` has the parent's id as extra. The map's entry may make room for
 * another at any time. So the writer of a tracestate looks afterwards whether the entry is still
 * the same. */
static __always_inline const struct kept_tracestate *find_tracestate(const struct span_way *way)
{
	struct tracestate_key key = tracestate_key(way->trace_id, (const __u8 *)&way->extra);

	if (way->extra)
		return bpf_map_lookup_elem(&tracestates, &key);
	return own_state.length && way->flags & FLAG_SAMPLED
		       ? (const struct kept_tracestate *)&own_state
		       : NULL;
}
