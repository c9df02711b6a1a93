/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The parent that the program itself names in the metadata that it sends with a call. Such a
 * program has a span of its own for the call. */
#pragma once

#include "call.h"

/* Finds the metadata of a context for a call, a metadata.rawMD. 0: there is none. The contexts from
 * `until` on are known already. A context of an unknown type may well begin with its parent, as do
 * all of the standard library, and types that embed a context. */
BPF_SUBPROGRAM __u64 find_outgoing(const struct call_offsets *o, __u64 text,
				   const struct go_interface *innermost, __u64 until)
{
	struct go_interface context, word;
	__u64 at;

	if (!o || !innermost || !text || o->outgoing_key == ABSENT || o->conn.itab_fun == ABSENT ||
	    o->context.value_context == ABSENT || o->context.value_key == ABSENT ||
	    o->context.value_val == ABSENT)
		return 0;
	context = *innermost;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_ANCESTORS; i++) {
		if (!context.type || !context.data || context.data == until)
			return 0;
		if (holds(o->conn.itab_fun, text, &context, o->context.value_deadline)) {
			if (go_read(&word, context.data, o->context.value_key))
				return 0;
			if (word.type == text + o->outgoing_key)
				return go_read(&word, context.data, o->context.value_val)
					       ? 0
					       : word.data;
			if (go_read(&context, context.data, o->context.value_context))
				return 0;
			continue;
		}
		if (!parent_at(&o->parent, text, &context, &at) || go_read(&context, at, 0))
			return 0;
	}
	return 0;
}

/* Keys from AppendToOutgoingContext that a search looks at. */
#define MAX_ADDED 64

/* Looks for the header among the added pairs: rawMD.added is a list of lists, each with keys and
 * values in turn (google.golang.org/grpc/metadata/metadata.go). */
BPF_SUBPROGRAM bool added_parent(const struct go_slice *added)
{
	struct go_slice pairs = {};
	__u64 list = 0, at = 0;

	if (!added)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_ADDED; i++) {
		struct {
			__u64 first;
			__u32 next, rest;
		} name = {};
		struct go_string key;

		if ((__s64)at >= pairs.length) {
			if ((__s64)list >= added->length ||
			    go_read(&pairs, added->data, list * sizeof(pairs)))
				return false;
			list++;
			at = 0;
			if (pairs.length <= 0)
				continue;
		}
		if (go_read(&key, pairs.data, at * sizeof(key)))
			return false;
		at += 2;
		if (key.length == sizeof("traceparent") - 1 &&
		    !bpf_probe_read_user(&name, sizeof("traceparent") - 1,
					 (const void *)key.data) &&
		    (name.first | LOWER8) == FIRST8('t', 'r', 'a', 'c', 'e', 'p', 'a', 'r') &&
		    (name.next | LOWER4) == NEXT4('e', 'n', 't', ' '))
			return true;
	}
	return false;
}

/* Whether the metadata of a context names the parent of a call. */
static __always_inline bool says_parent(struct call_span *span, const struct call_offsets *o,
					const struct go_interface *context, __u64 until)
{
	struct call_work *work = (struct call_work *)(span->texts + WORK_AT);
	__u64 metadata = find_outgoing(o, span->text, context, until), md;

	if (!metadata || o->raw_md == ABSENT || o->raw_added == ABSENT)
		return false;
	__builtin_memset(&work->wanted, 0, sizeof(work->wanted));
	if (!go_read(&md, metadata, o->raw_md) && md &&
	    search_headers(md, &o->map, &work->group, &work->wanted) &&
	    work->wanted.traceparent.length > 0)
		return true;
	return !go_read(&work->added, metadata, o->raw_added) && added_parent(&work->added);
}

/* Whether a word is the address of a stream that a transport makes. Takes the stream's context,
 * which is one of context.WithValue: the transport adds the peer to the call's context first. */
static __always_inline bool is_stream(const struct call_offsets *o, __u64 text, __u64 word,
				      struct go_interface *context)
{
	struct go_interface parent;

	if (o->stream_pointer != ABSENT && go_read(&word, word, o->stream_pointer))
		return false;
	if (o->stream_inside != ABSENT)
		word += o->stream_inside;
	/* Memory beside a variable that is smaller than a stream may look like a context, but leads
	 * nowhere. */
	return o->stream_context != ABSENT && o->context.value_context != ABSENT && text &&
	       !go_read(context, word, o->stream_context) &&
	       holds(o->conn.itab_fun, text, context, o->context.value_deadline) &&
	       !go_read(&parent, context->data, o->context.value_context) && parent.type &&
	       parent.data;
}
