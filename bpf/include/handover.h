/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The hand-over of a request to the programs that write the context of its span into the request.
 */
#pragma once

#include "types.h"
#include "spancontext.h"

/* Whether these programs are loaded, and take requests over. The loader sets this. */
const volatile __u8 injects;

/* The writer of a framer of KEY_FRAME. */
enum frame_writer {
	WRITER_BUFIO, /* a bufio.Writer */
	WRITER_OWN,   /* a type of the library's own */
};

/* Announces the headers of a stream that a framer is about to write. */
static __always_inline void announce_frame(struct span_key *key, const __u8 *trace_id,
					   const __u8 *span_id, __u8 flags, __u64 parent,
					   enum frame_writer writer)
{
	struct span_context context = {
		.extra = parent, .state = WAY_ANNOUNCED, .flags = flags, .writer = writer
	};

	store_span(key, trace_id, span_id, &context);
}
