/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The captured variables of a closure of (*http2Client).NewStream: the transport, and the stream
 * that the transport makes. */
#pragma once

#include "call.h"
#include "outgoing.h"

/* Words of a closure that a search looks at. */
#define MAX_CAPTURED 12

/* The variables that announce_call looks for. */
struct captured {
	__u64 transport, stream; /* addresses; 0: not found */
	__u64 fd;
	struct go_interface context;
};

/* Compares a captured variable with those that are not found yet. False: the closure has no such
 * word. */
BPF_SUBPROGRAM bool match_captured(const struct call_offsets *o, __u64 text, __u64 closure, __u32 i,
				   struct captured *found)
{
	__u64 word;

	if (!o || !found || go_read(&word, closure, i * sizeof(word)))
		return false;
	if (!found->stream && is_stream(o, text, word, &found->context))
		found->stream = word;
	if (!found->fd) {
		found->fd = fd_of(&o->conn, text, word + o->transport_conn);
		found->transport = word;
	}
	return true;
}

/* Finds the transport and the stream. The compiler captures them in the same places each time, so
 * the search begins at the places where they were before. */
BPF_SUBPROGRAM int find_captured(struct call_offsets *o, __u64 text, __u64 closure,
				 struct captured *found)
{
	bool transport, stream;
	__u64 word;

	if (!o || !found)
		return 0;
	if (o->captured_stream && !go_read(&word, closure, o->captured_stream * sizeof(word)) &&
	    is_stream(o, text, word, &found->context))
		found->stream = word;
	if (o->captured_transport &&
	    !go_read(&found->transport, closure, o->captured_transport * sizeof(word)))
		found->fd = fd_of(&o->conn, text, found->transport + o->transport_conn);
#pragma clang loop unroll(disable)
	for (__u32 i = 1; i < MAX_CAPTURED; i++) {
		if (found->fd && found->stream)
			break;
		transport = found->fd;
		stream = found->stream;
		if (!match_captured(o, text, closure, i, found))
			break;
		if (!transport && found->fd)
			o->captured_transport = i;
		if (!stream && found->stream)
			o->captured_stream = i;
	}
	return 0;
}
