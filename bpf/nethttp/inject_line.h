/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The header lines of HTTP/1. */
#pragma once

#include "inject.h"

struct header_line {
	char name[TRACEPARENT_NAME_LENGTH + 2]; /* and ": " */
	char value[TRACEPARENT_LENGTH];
	char end[2];
};

/* Writes a line for the tracestate, if there is room. Returns the count of bytes. The traceparent
 * is the last line: its place tells another receiver that the request has one. */
BPF_SUBPROGRAM __u32 write_tracestate_line(__u64 to, __u64 room,
					   const struct kept_tracestate *state,
					   const struct span_way *way)
{
	const char start[TRACESTATE_NAME_LENGTH + 2] = "Tracestate: ", end[2] = "\r\n";
	__u32 length, size;

	if (!state || !way)
		return 0;
	length = tracestate_length(state);
	size = sizeof(start) + length + sizeof(end);
	if (room < size || bpf_probe_write_user((void *)to, start, sizeof(start)) ||
	    !write_tracestate(to + sizeof(start), state, length, way) ||
	    bpf_probe_write_user((void *)(to + size - sizeof(end)), end, sizeof(end)))
		return 0;
	return size;
}
