/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What the headers of a request say: whose trace it belongs to. */
#pragma once

#include "types.h"
#include "counters.h"
#include "go.h"
#include "gomap.h"
#include "span.h"
#include "traceparent.h"
#include "tracestate.h"

#define TRACESTATE_LINES 4   /* a request may bring it in several lines */

/* Looks for the wanted headers in the map at an address. False: it could not be
 * read. `group` is scratch. */
called bool search_headers(__u64 map, const struct map_offsets *o, struct map_group *group,
			   struct wanted_headers *wanted)
{
	__u32 state;

	if (!o || !group || !wanted)
		return false;
	if (!map_readable(o))
		return true;
	state = find_headers(map, o, group, wanted);
	if (state == WALK_GOES_ON)
		count(COUNTER_PARTIAL_HEADERS);
	return state != WALK_FAILED && !wanted->unreadable;
}

/* Fills in the trace of a request that says whose it is. `scratch` is that of
 * parse_traceparent; `complete` becomes false if the header is there and could not
 * be read. A tracestate is nothing without it: W3C Trace Context, section 3.3. */
called int inherit_header(struct span_head *head, __u8 *scratch, struct wanted_headers *wanted, bool *complete)
{
	enum traceparent found = TRACEPARENT_UNREADABLE;
	struct go_string traceparent;
	__u64 tracestate;

	if (!head || !scratch || !wanted || !complete)
		return INHERITED_NOTHING;

	tracestate = wanted->tracestate.length;
	wanted->tracestate.length = 0;
	/* Two of them are none: W3C Trace Context, section 3.2. */
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

/* Several lines are one list: W3C Trace Context, section 3.3.1.3. User space
 * drops the last entry if `whole` says that bytes are missing. It is the first
 * of the texts, so that what is there already is under its limit. */
called bool copy_tracestate(struct text *text, __u8 *texts, __u16 *used, const struct header_values *lines)
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
			texts[at] = ','; /* counted only with what follows */
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

/* Copies it behind the record, whose first text it is, and keeps what the requests are to say that are
 * made for this one, if there may be `children`. */
static __always_inline bool note_tracestate(enum inherited inherited, const struct span_head *head, struct text *text,
					    __u8 *texts, __u16 *used, const struct header_values *lines, bool children)
{
	bool complete = inherited == INHERITED_NOTHING || copy_tracestate(text, texts, used, lines);

	if (!injects || !children)
		return complete;
	if (text->whole)
		keep_state(head, text, texts);
	else if (inherited == INHERITED_NOTHING || (inherited == INHERITED_PARENT && !parent_based))
		keep_own_state(head);
	return complete;
}

/* Copies the first line of a header behind the record. */
static __always_inline bool copy_first(struct text *text, __u8 *texts, const __u32 texts_size, __u16 *used,
				       const struct header_values *values, const __u32 limit)
{
	struct go_string line;

	if (values->length <= 0)
		return true;
	return !go_read(&line, values->data, 0) && copy_text(text, texts, texts_size, used, &line, limit);
}

#define COPY_FIRST(span, field, values, limit) \
	copy_first(&(span)->field, (span)->texts, sizeof((span)->texts), &(span)->used, values, limit)
