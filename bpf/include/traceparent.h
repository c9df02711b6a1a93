/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The traceparent header: W3C Trace Context, section 3.2. */
#pragma once

#include "types.h"
#include "span.h"

#define TRACEPARENT_LENGTH 55 /* of version 00; later ones may be longer */

/* The value of each lower-case hexadecimal digit plus one, and 0 for any other byte. Upper case is
 * invalid in a traceparent. */
static const __u8 hex_digits[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Decodes 2*n digits into n bytes. The result is not zero if a byte was no digit. */
static __always_inline __u8 unhex(__u8 *to, const __u8 *digits, int n)
{
	__u8 bad = 0;

	for (int i = 0; i < n; i++) {
		__u8 high = hex_digits[digits[2 * i]] - 1;
		__u8 low = hex_digits[digits[2 * i + 1]] - 1;

		bad |= (high | low) & 0xf0;
		to[i] = high << 4 | low;
	}
	return bad;
}

enum traceparent {
	TRACEPARENT_INVALID,
	TRACEPARENT_UNREADABLE,
	TRACEPARENT_VALID,
};

/* Reads the header's value into the head: trace id, parent id, flags. An invalid value leaves none
 * of these in the head. `scratch` has room for TRACEPARENT_LENGTH + 1 bytes, since a program's
 * stack is small. */
static __always_inline enum traceparent parse_traceparent(struct span_head *head, __u8 *scratch,
							  const struct go_string *value)
{
	__u8 *s = scratch, version, flags, bad;
	__u32 length = TRACEPARENT_LENGTH;

	if (value->length < TRACEPARENT_LENGTH)
		return TRACEPARENT_INVALID;
	if (value->length > TRACEPARENT_LENGTH)
		length++;
	if (bpf_probe_read_user(s, length, (const void *)value->data))
		return TRACEPARENT_UNREADABLE;
	bad = unhex(&version, s, 1);
	bad |= unhex(head->trace_id, s + 3, sizeof(head->trace_id));
	bad |= unhex(head->parent_id, s + 36, sizeof(head->parent_id));
	bad |= unhex(&flags, s + 53, 1);
	if (bad || s[2] != '-' || s[35] != '-' || s[52] != '-' || version == 0xff)
		goto invalid;
	if (value->length > TRACEPARENT_LENGTH && (version == 0 || s[55] != '-'))
		goto invalid;
	if (!(*(__u64 *)head->trace_id | *(__u64 *)(head->trace_id + 8)) ||
	    !*(__u64 *)head->parent_id)
		goto invalid;
	head->flags = flags & (FLAG_SAMPLED | FLAG_RANDOM);
	head->context |= CONTEXT_REMOTE_PARENT;
	return TRACEPARENT_VALID;
invalid:
	__builtin_memset(head->trace_id, 0, sizeof(head->trace_id));
	__builtin_memset(head->parent_id, 0, sizeof(head->parent_id));
	return TRACEPARENT_INVALID;
}
