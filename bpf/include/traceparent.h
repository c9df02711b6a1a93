/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The traceparent header: W3C Trace Context, section 3.2. */
#pragma once

#include "types.h"
#include "span.h"

#define TRACEPARENT_LENGTH 55 /* of version 00; later ones may be longer */

/* One more than the value of each lower-case hexadecimal digit, and 0 for any
 * other byte: upper case is invalid in a traceparent. */
static const __u8 hex_digits[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
	['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Decodes 2*n digits into n bytes. Not zero if any digit was not one. */
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

/* Reads the header's value into the head: trace id, parent id, flags. False if
 * it is not a valid traceparent; the head is then untouched. */
static __always_inline bool parse_traceparent(struct span_head *head, const struct go_string *value)
{
	__u8 s[56] = {};
	__u8 trace_id[16] __attribute__((aligned(8)));
	__u8 parent_id[8] __attribute__((aligned(8)));
	__u8 version, flags;
	__u8 bad;

	if (value->length < TRACEPARENT_LENGTH)
		return false;
	if (value->length == TRACEPARENT_LENGTH) {
		if (bpf_probe_read_user(s, TRACEPARENT_LENGTH, (const void *)value->data)) {
			count(COUNTER_PARTIAL_UNREADABLE);
			return false;
		}
	} else if (bpf_probe_read_user(s, sizeof(s), (const void *)value->data)) {
		count(COUNTER_PARTIAL_UNREADABLE);
		return false;
	}
	bad = unhex(&version, s, 1);
	bad |= unhex(trace_id, s + 3, sizeof(trace_id));
	bad |= unhex(parent_id, s + 36, sizeof(parent_id));
	bad |= unhex(&flags, s + 53, 1);
	if (bad || s[2] != '-' || s[35] != '-' || s[52] != '-' || version == 0xff)
		return false;
	if (value->length > TRACEPARENT_LENGTH && (version == 0 || s[55] != '-'))
		return false;
	if (!(*(__u64 *)trace_id | *(__u64 *)(trace_id + 8)) || !*(__u64 *)parent_id)
		return false;
	__builtin_memcpy(head->trace_id, trace_id, sizeof(trace_id));
	__builtin_memcpy(head->parent_id, parent_id, sizeof(parent_id));
	head->flags = flags & (FLAG_SAMPLED | FLAG_RANDOM);
	head->context |= CONTEXT_REMOTE_PARENT;
	return true;
}
