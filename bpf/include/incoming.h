/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The headers of a request, which say whose trace it belongs to. */
#pragma once

#include "types.h"
#include "counters.h"
#include "go.h"
#include "gomap.h"
#include "handover.h"
#include "headers.h"
#include "maplayout.h"
#include "span.h"
#include "traceparent.h"
#include "tracestate.h"

#define TRACESTATE_LINES 4 /* lines in which a request may bring its tracestate */

/* Looks for the wanted headers in the map at an address. `group` is scratch. False: the map could
 * not be read. */
BPF_SUBPROGRAM bool search_headers(__u64 map, const struct map_offsets *o, struct map_group *group,
				   struct wanted_headers *wanted)
{
	__u32 state;

	if (!o || !group || !wanted)
		return false;
	if (!map_readable(o))
		return true;
	state = find_headers(map, o, group, wanted);
	if (state == WALK_GOES_ON)
		count(COUNTER_DEGRADED_HEADERS);
	return state != WALK_FAILED && !wanted->unreadable;
}

/* Fills in the trace of a request whose headers name its parent. `scratch` is that of
 * parse_traceparent. `complete` becomes false if the traceparent is there and could not be read.
 * Without a valid traceparent the tracestate has no meaning: W3C Trace Context, section 3.3. */
BPF_SUBPROGRAM int inherit_header(struct span_head *head, __u8 *scratch,
				  struct wanted_headers *wanted, bool *complete)
{
	enum traceparent found = TRACEPARENT_UNREADABLE;
	struct go_string traceparent;
	__u64 tracestate;

	if (!head || !scratch || !wanted || !complete)
		return INHERITED_NOTHING;

	tracestate = wanted->tracestate.length;
	wanted->tracestate.length = 0;
	/* Two headers are as bad as none: W3C Trace Context, section 3.2. */
	if (wanted->traceparent.length != 1)
		return INHERITED_NOTHING;
	if (!go_read(&traceparent, wanted->traceparent.data, 0))
		found = parse_traceparent(head, scratch, &traceparent);
	*complete &= found != TRACEPARENT_UNREADABLE;
	if (found != TRACEPARENT_VALID)
		return INHERITED_NOTHING;
	wanted->tracestate.length = tracestate;
	return follow_parent(head);
}

/* Copies the tracestate behind the record. Several lines are one list: W3C Trace Context, section
 * 3.3.1.3. User space drops the last entry if `whole` says that bytes are missing. The tracestate
 * is the first text of its record, so its bytes so far are under its limit. */
BPF_SUBPROGRAM bool copy_tracestate(struct text *text, __u8 *texts, __u16 *used,
				    const struct header_values *lines)
{
	__u32 room = TRACESTATE_LIMIT, whole = 0;
	bool complete = true;

	for (__u32 i = 0; i < TRACESTATE_LINES; i++) {
		__u32 at = *used, separator = !!text->length;
		struct go_string line;
		__u64 length;

		if (i >= lines->length)
			break;
		complete = !go_read(&line, lines->data, i * sizeof(line));
		if (!complete)
			break;
		if (line.length <= 0)
			continue;
		whole += separator + (line.length > 0x7fff ? 0x7fff : line.length);
		if (room <= separator)
			break;
		length = line.length;
		if (length > room - separator)
			length = room - separator;
		complete = false;
		bounded(at);
		if (at > TRACESTATE_LIMIT)
			break;
		if (separator)
			texts[at] = ','; /* counts only together with the bytes behind it */
		at += separator;
		bounded(at);
		bounded(length);
		if (at > TRACESTATE_LIMIT || length > TRACESTATE_LIMIT ||
		    bpf_probe_read_user(texts + at, length, (const void *)line.data))
			break;
		complete = true;
		text->length += separator + length;
		*used = at + length;
		room -= separator + length;
	}
	if (!complete || lines->length > TRACESTATE_LINES || whole > 0xffff)
		whole = 0xffff;
	text->whole = whole;
	return complete;
}

/* Copies the tracestate behind the record, whose first text it is. If there may be `children`,
 * keeps the tracestate that their requests are to carry. */
static __always_inline bool copy_and_keep_tracestate(enum inherited inherited,
						     const struct span_head *head,
						     struct text *text, __u8 *texts, __u16 *used,
						     const struct header_values *lines,
						     bool children)
{
	bool complete = inherited == INHERITED_NOTHING || copy_tracestate(text, texts, used, lines);

	if (!injects || !children)
		return complete;
	if (text->whole)
		keep_tracestate(head, text, texts);
	else if (inherited == INHERITED_NOTHING || (inherited == INHERITED_PARENT && !parent_based))
		keep_own_tracestate(head);
	return complete;
}

/* Copies the first line of a header behind the record. */
static __always_inline bool copy_first(struct text *text, __u8 *texts, const __u32 texts_size,
				       __u16 *used, const struct header_values *values,
				       const __u32 limit)
{
	struct go_string line;

	if (values->length <= 0)
		return true;
	return !go_read(&line, values->data, 0) &&
	       copy_text(text, texts, texts_size, used, &line, limit);
}

#define COPY_FIRST(span, field, values, limit)                                                  \
	copy_first(&(span)->field, (span)->texts, sizeof((span)->texts), &(span)->used, values, \
		   limit)
