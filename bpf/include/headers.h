/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The wanted headers of a map[string][]string, such as the headers of a request. */
#pragma once

#include "types.h"
#include "go.h"

/* The lines of a header that was found. */
struct header_values {
	__u64 data; /* address of a go_string for each line */
	__s64 length;
};

struct wanted_headers {
	struct header_values traceparent;
	struct header_values tracestate;
	struct header_values user_agent;
	struct header_values authority; /* of HTTP/2, in a map that has it among the headers */
	__u64 unreadable; /* whether an entry, or a part of an entry, could not be read */
};

#define FIRST8(a, b, c, d, e, f, g, h)                                                           \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)
#define NEXT4(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

static __always_inline void set_values(struct header_values *to, const struct go_slice *lines)
{
	to->data = lines->data;
	to->length = lines->length;
}

/* Letters without their case. The bits leave the other characters of the wanted names alone. */
#define LOWER8 0x2020202020202020
#define LOWER4 0x20202020

/* Compares the key of an entry with the wanted names. The case on the wire does not matter:
 * libraries canonicalize incoming keys (src/net/textproto/reader.go, CanonicalMIMEHeaderKey), or
 * have them in lower case. */
static __always_inline void match_header(const struct go_string *key, const struct go_slice *value,
					 struct wanted_headers *wanted)
{
	struct {
		__u64 first;
		__u32 next;
		__u32 rest;
	} name = {};

	if (key->length == sizeof("traceparent") - 1) {
		if (bpf_probe_read_user(&name, sizeof("traceparent") - 1, (const void *)key->data))
			goto unreadable;
		if ((name.first | LOWER8) == FIRST8('t', 'r', 'a', 'c', 'e', 'p', 'a', 'r') &&
		    (name.next | LOWER4) == NEXT4('e', 'n', 't', ' '))
			set_values(&wanted->traceparent, value);
		return;
	}
	if (key->length == sizeof("tracestate") - 1) { /* and the others of that length */
		if (bpf_probe_read_user(&name, sizeof("tracestate") - 1, (const void *)key->data))
			goto unreadable;
		name.first |= LOWER8;
		name.next |= LOWER4;
		if (name.first == FIRST8('t', 'r', 'a', 'c', 'e', 's', 't', 'a') &&
		    name.next == NEXT4('t', 'e', ' ', ' '))
			set_values(&wanted->tracestate, value);
		else if (name.first == FIRST8('u', 's', 'e', 'r', '-', 'a', 'g', 'e') &&
			 name.next == NEXT4('n', 't', ' ', ' '))
			set_values(&wanted->user_agent, value);
		else if (name.first == FIRST8(':', 'a', 'u', 't', 'h', 'o', 'r', 'i') &&
			 name.next == NEXT4('t', 'y', ' ', ' '))
			set_values(&wanted->authority, value);
	}
	return;
unreadable:
	wanted->unreadable = 1;
}
