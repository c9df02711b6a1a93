/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The pattern of the ServeMux that chose the handler. The mux leaves the pattern on the request
 * that it got: src/net/http/server.go, (*ServeMux).ServeHTTP. A middleware in front of the mux may
 * have copied the request (WithContext, Clone). */
#pragma once

#include "types.h"
#include "go.h"
#include "request.h"

#define STATUS_NOT_FOUND 404
#define STATUS_METHOD_NOT_ALLOWED 405

/* Whether requests have patterns: from Go 1.22 on. */
static __always_inline bool has_patterns(const struct server_offsets *o)
{
	return o->request_pattern != ABSENT ||
	       (o->request_pat != ABSENT && o->pattern_str != ABSENT);
}

/* Reads the pattern of a request, which is empty if no mux has matched. */
static __always_inline bool read_pattern(struct go_string *pattern, __u64 request,
					 const struct server_offsets *o)
{
	__u64 matched;

	if (o->request_pattern != ABSENT)
		return !go_read(pattern, request, o->request_pattern);
	pattern->length = 0;
	if (o->request_pat == ABSENT || o->pattern_str == ABSENT)
		return true;
	if (go_read(&matched, request, o->request_pat))
		return false;
	return !matched || !go_read(pattern, matched, o->pattern_str);
}

static __always_inline bool has_target(__u64 request, const struct server_span *span,
				       const struct server_offsets *o)
{
	struct go_string target;

	return !go_read(&target, request, o->request.request_uri) && target.length > 0 &&
	       target.data == span->target_data &&
	       (target.length > 0xffff ? 0xffff : target.length) == span->target.whole;
}

/* The request that the handler got. 0: the request may be gone. The server keeps it while the
 * handler runs. But net/http/internal/http2 keeps only the ServerRequest that it made the request
 * from. */
static __always_inline __u64 still_request(const struct server_span *span,
					   const struct server_offsets *o)
{
	bool kept = span->proto_major == 1 || o->internal.status == ABSENT;

	return span->request && (kept || has_target(span->request, span, o)) ? span->request : 0;
}

/* Whether a mux's request is a copy of the original with the same path. http.StripPrefix makes
 * another request, with another path. */
static __always_inline bool is_copy(__u64 request, const struct server_span *span,
				    const struct server_offsets *o)
{
	struct go_string path, original_path;
	__u64 url, original, original_url;

	if (!has_target(request, span, o) || go_read(&url, request, o->request_url) ||
	    go_read(&path, url, o->url_path))
		return false;
	if (path.data == span->target_data)
		return true; /* a path without escapes is the beginning of the target */
	original = still_request(span, o);
	return original && !go_read(&original_url, original, o->request_url) &&
	       !go_read(&original_path, original_url, o->url_path) &&
	       path.data == original_path.data && path.length == original_path.length;
}

/* Whether the copy is still the same. Only the handlers keep the copy, so it may have been
 * collected. Another request in its place has a target of its own. The server keeps the bytes of
 * this one. */
static __always_inline bool still_copy(const struct server_span *span,
				       const struct server_offsets *o)
{
	return span->copy && has_target(span->copy, span, o);
}

/* Copies the pattern. Up to Go 1.21 there is none, and with a mux of another library it stays
 * empty. False: the pattern could not be read. */
static __always_inline bool copy_route(struct server_span *span, const struct server_offsets *o)
{
	struct go_string pattern = {};
	__u64 request;
	__u32 used;
	bool subtree;

	if (!has_patterns(o))
		return true;
	if (!still_copy(span, o) || !read_pattern(&pattern, span->copy, o) || pattern.length <= 0) {
		pattern.length = 0;
		request = still_request(span, o);
		if (!request)
			return true;
		if (!read_pattern(&pattern, request, o))
			return false;
	}
	if (!COPY(span, route, &pattern, ROUTE_LIMIT))
		return false;
	if (o->watches_muxes)
		return true;
	/* A pattern that ends with a slash stands for all paths below. Another mux may have told
	 * these apart. */
	used = span->used - 1;
	bounded(used);
	if (span->route.length)
		subtree = used < TEXTS_SIZE && span->texts[used] == '/';
	else
		subtree = span->status != STATUS_NOT_FOUND &&
			  span->status != STATUS_METHOD_NOT_ALLOWED;
	if (subtree)
		span->head.context |= CONTEXT_MISSES_HOOKS;
	return true;
}
