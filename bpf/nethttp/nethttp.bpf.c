//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Server spans of net/http over HTTP/1.
 *
 * A request is seen twice, both times on the goroutine of its connection:
 * serve_http when the server hands it to the handler, finish_request when the
 * handler is done. What arrived is copied at the first, since the handler may
 * change or drop it; the status and the route are read at the second. */
#include "types.h"
#include "arch.h"
#include "counters.h"
#include "process.h"
#include "span.h"
#include "gomap.h"
#include "traceparent.h"

/* Bytes that are kept of each text; README's "Limits" names them. */
#define METHOD_LIMIT 32
#define TARGET_LIMIT 640
#define HOST_LIMIT 128
#define REMOTE_LIMIT 64
#define USER_AGENT_LIMIT 192
#define TRACESTATE_LIMIT 512
#define ROUTE_LIMIT 192
#define LINE_LIMIT (METHOD_LIMIT + 1 + TARGET_LIMIT)
#define TEXTS_SIZE (TRACESTATE_LIMIT + LINE_LIMIT + HOST_LIMIT + REMOTE_LIMIT + USER_AGENT_LIMIT + \
		    ROUTE_LIMIT)

/* A request may bring its tracestate in several lines. */
#define TRACESTATE_LINES 4

struct server_offsets {
	__u32 g_goid;
	__u32 request_method;
	__u32 request_proto_major;
	__u32 request_proto_minor;
	__u32 request_header;
	__u32 request_host;
	__u32 request_remote_addr;
	__u32 request_request_uri;
	__u32 request_tls;
	__u32 request_pattern; /* Go 1.23 and later */
	__u32 request_pat;     /* Go 1.22 */
	__u32 pattern_str;     /* Go 1.22 */
	__u32 response_req;
	__u32 response_status;
	struct map_offsets map;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: binaries at a time */
	__type(key, __u32);
	__type(value, struct server_offsets);
} offsets SEC(".maps");

struct server_span {
	struct span_head head;
	__u64 response; /* address of the net/http.response */
	__u64 request;	/* address of its net/http.Request */
	__u16 status;	/* 0: the handler wrote nothing, which net/http sends as 200 */
	__u8 proto_major;
	__u8 proto_minor;
	__u8 tls;
	__u8 joined;	/* one byte lies between the method and the target */
	__u16 used; /* bytes of texts that follow */
	struct text tracestate, method, target, host, remote, user_agent, route;
	__u8 texts[TEXTS_SIZE] __attribute__((aligned(8)));
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by the loader */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct operation_key);
	__type(value, struct server_span);
} requests SEC(".maps");

/* What a new entry starts from: a program's stack is too small to hold one,
 * and a scratch map would be shared with whatever preempts it. */
static const struct server_span empty_span;

#define COPY(span, field, string, limit) \
	copy_text(&(span)->field, (span)->texts, TEXTS_SIZE, &(span)->used, string, limit)

/* What is needed of a net/http.Request. */
struct arrived {
	struct go_string method, target, host, remote;
	__u64 header, tls, proto_major, proto_minor;
};

/* A read of the target's memory costs the same for 8 bytes as for 256, so the
 * struct is read in one piece (its size is 232 to 248 bytes from Go 1.21 to
 * 1.27, in a size class of 240 or 256), and its fields are taken from that. */
#define REQUEST_PIECE 256

/* What serve_http works with lies in the entry, in the room for the route,
 * which is filled last: a program's stack is 512 bytes, those of what it calls
 * included. */
struct work {
	struct arrived arrived;
	struct wanted_headers wanted;
};
#define WORK_AT ((TEXTS_SIZE - ROUTE_LIMIT + 7) & ~7)
_Static_assert(sizeof(struct work) <= TEXTS_SIZE - WORK_AT, "no room to work in");
_Static_assert(sizeof(struct map_group) <= WORK_AT, "no room for a group of map entries");
_Static_assert(REQUEST_PIECE <= WORK_AT, "no room for a request");

static __always_inline bool read_request(struct arrived *arrived, __u8 *piece,
					 const struct server_offsets *o, __u64 request)
{
	return !bpf_probe_read_user(piece, REQUEST_PIECE, (const void *)request) &&
	       go_take(&arrived->method, piece, REQUEST_PIECE, request, o->request_method) &&
	       go_take(&arrived->target, piece, REQUEST_PIECE, request, o->request_request_uri) &&
	       go_take(&arrived->host, piece, REQUEST_PIECE, request, o->request_host) &&
	       go_take(&arrived->remote, piece, REQUEST_PIECE, request, o->request_remote_addr) &&
	       go_take(&arrived->header, piece, REQUEST_PIECE, request, o->request_header) &&
	       go_take(&arrived->tls, piece, REQUEST_PIECE, request, o->request_tls) &&
	       go_take(&arrived->proto_major, piece, REQUEST_PIECE, request, o->request_proto_major) &&
	       go_take(&arrived->proto_minor, piece, REQUEST_PIECE, request, o->request_proto_minor);
}

/* The address of a string's header in the target, read into `string`. */
static __always_inline bool copy_field(struct server_span *span, struct text *text, __u64 base,
				       __u32 offset, const __u32 limit)
{
	struct go_string string;

	if (go_read(&string, base, offset))
		return false;
	return copy_text(text, span->texts, TEXTS_SIZE, &span->used, &string, limit);
}

static __always_inline bool copy_first(struct server_span *span, struct text *text,
				       const struct header_values *values, const __u32 limit)
{
	if (values->length <= 0)
		return true;
	return copy_field(span, text, values->data, 0, limit);
}

/* Several lines are one list: W3C Trace Context, section 3.3.1.3. User space
 * cuts at the last whole entry if `whole` says that bytes are missing. */
static __always_inline bool copy_tracestate(struct server_span *span, const struct header_values *lines)
{
	__u32 room = TRACESTATE_LIMIT, whole = 0;

	for (__u32 i = 0; i < TRACESTATE_LINES; i++) {
		struct go_string line;
		__u32 at = span->used;
		__u64 length;

		if (i >= lines->length)
			break;
		if (go_read(&line, lines->data, i * sizeof(line)))
			return false;
		if (line.length <= 0)
			continue;
		whole += line.length > 0x7fff ? 0x7fff : line.length;
		if (whole > 0xffff)
			whole = 0xffff;
		if (span->tracestate.length) {
			whole++;
			if (room < 2)
				break;
			bounded(at);
			if (at > TRACESTATE_LIMIT)
				return false;
			span->texts[at] = ',';
			span->tracestate.length++;
			at++;
			room--;
		}
		length = line.length;
		if (length > room)
			length = room;
		/* The first text, so that what is there already is under the limit. */
		bounded(at);
		if (at > TRACESTATE_LIMIT)
			return false;
		bounded(length);
		if (length > TRACESTATE_LIMIT ||
		    bpf_probe_read_user(span->texts + at, length, (const void *)line.data))
			return false;
		span->tracestate.length += length;
		span->used = at + length;
		room -= length;
	}
	if (lines->length > TRACESTATE_LINES)
		whole = 0xffff;
	span->tracestate.whole = whole;
	return true;
}

/* The method and the target are parts of one line, "METHOD TARGET PROTO"
 * (src/net/http/request.go, parseRequestLine), and so need one read. */
static __always_inline bool copy_request_line(struct server_span *span, const struct go_string *method,
					      const struct go_string *target)
{
	__u64 first = method->length, second = target->length;
	__u32 at = span->used;

	if (target->data != method->data + first + 1 || first - 1 >= METHOD_LIMIT || (__s64)second <= 0) {
		bool copied = COPY(span, method, method, METHOD_LIMIT);

		return COPY(span, target, target, TARGET_LIMIT) && copied;
	}
	span->target.whole = second > 0xffff ? 0xffff : second;
	if (second > TARGET_LIMIT)
		second = TARGET_LIMIT;
	bounded(at);
	bounded(first);
	bounded(second);
	if (at > TEXTS_SIZE - LINE_LIMIT || first > METHOD_LIMIT || second > TARGET_LIMIT ||
	    bpf_probe_read_user(span->texts + at, first + 1 + second, (const void *)method->data)) {
		span->target.whole = 0;
		return false;
	}
	span->joined = 1;
	span->method.length = span->method.whole = first;
	span->target.length = second;
	span->used = at + first + 1 + second;
	return true;
}

/* Fills in what arrived. False: the caller's context says "not sampled". */
static __always_inline bool note_request(struct server_span *span, const struct server_offsets *o,
					 struct work *work)
{
	const struct arrived *arrived = &work->arrived;
	struct wanted_headers *wanted = &work->wanted;
	struct go_string traceparent;
	bool complete = true, has_parent = false;

	if (map_readable(&o->map)) {
		__u32 state = find_headers(arrived->header, &o->map, (struct map_group *)span->texts, wanted);

		if (state == WALK_FAILED)
			complete = false;
		else if (state == WALK_GOES_ON)
			count(COUNTER_PARTIAL_HEADERS);
	}
	/* Two of them are none: W3C Trace Context, section 3.2. */
	if (wanted->traceparent.length == 1) {
		if (go_read(&traceparent, wanted->traceparent.data, 0))
			complete = false;
		else
			has_parent = parse_traceparent(&span->head, span->texts, &traceparent);
	}
	if (has_parent && !(span->head.flags & FLAG_SAMPLED))
		return false;
	if (!has_parent) {
		new_trace_id(&span->head);
		span->head.flags = FLAG_SAMPLED;
	}
	new_span_id(&span->head);

	if (has_parent)
		complete &= copy_tracestate(span, &wanted->tracestate);
	complete &= copy_request_line(span, &arrived->method, &arrived->target);
	complete &= COPY(span, host, &arrived->host, HOST_LIMIT);
	complete &= COPY(span, remote, &arrived->remote, REMOTE_LIMIT);
	complete &= copy_first(span, &span->user_agent, &wanted->user_agent, USER_AGENT_LIMIT);
	span->tls = !!arrived->tls;
	span->proto_major = arrived->proto_major;
	span->proto_minor = arrived->proto_minor;
	if (!complete)
		count(COUNTER_PARTIAL_UNREADABLE);
	return true;
}

static __always_inline bool goroutine_key(struct pt_regs *ctx, const struct server_offsets *o,
					  __u32 tgid, const struct process *process,
					  struct operation_key *key)
{
	key->tgid = tgid;
	key->generation = process->generation;
	return !go_read(&key->goid, GO_G(ctx), o->g_goid);
}

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
SEC("uprobe")
int serve_http(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = traced_process(ctx, tgid);
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span;
	__u64 response = GO_ARG2(ctx), request = GO_ARG3(ctx), of_response;
	struct work *work;
	__u32 binary;

	if (!process)
		return 0;
	binary = process->binary;
	o = bpf_map_lookup_elem(&offsets, &binary);
	if (!o)
		return 0;
	count(COUNTER_OPERATIONS);
	if (!goroutine_key(ctx, o, tgid, process, &key)) {
		count(COUNTER_LOST_UNREADABLE);
		return 0;
	}
	/* An HTTP/2 server comes here with a writer of its own. A writer is
	 * net/http.response only if it leads back to this request. */
	if (go_read(&of_response, response, o->response_req) || of_response != request) {
		count(COUNTER_LOST_UNSUPPORTED);
		return 0;
	}
	if (bpf_map_update_elem(&requests, &key, &empty_span, BPF_NOEXIST)) {
		/* Requests of a connection come one after the other: one that is
		 * still here had an end that was not seen. */
		if (!bpf_map_lookup_elem(&requests, &key)) {
			count(COUNTER_LOST_MAP_FULL);
			return 0;
		}
		count(COUNTER_LOST_UNFINISHED);
		if (bpf_map_update_elem(&requests, &key, &empty_span, BPF_EXIST)) {
			count(COUNTER_LOST_MAP_FULL);
			return 0;
		}
	}
	span = bpf_map_lookup_elem(&requests, &key);
	if (!span) {
		count(COUNTER_LOST_UNFINISHED); /* swept between the two calls */
		return 0;
	}
	work = (struct work *)(span->texts + WORK_AT);
	if (!read_request(&work->arrived, span->texts, o, request)) {
		count(COUNTER_LOST_UNREADABLE);
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	if (!note_request(span, o, work)) {
		count(COUNTER_NOT_SAMPLED);
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	span->response = response;
	span->request = request;
	span->head.tgid = tgid;
	span->head.generation = key.generation;
	span->head.goid = key.goid;
	span->head.library = library;
	span->head.start = bpf_ktime_get_boot_ns();
	return 0;
}

/* The pattern of the ServeMux that chose the handler. Up to Go 1.21 there is
 * none, and with a mux of another make it stays empty. */
static __always_inline bool note_route(struct server_span *span, const struct server_offsets *o)
{
	__u64 pattern;

	if (o->request_pattern != ABSENT)
		return copy_field(span, &span->route, span->request, o->request_pattern, ROUTE_LIMIT);
	if (o->request_pat == ABSENT || o->pattern_str == ABSENT)
		return true;
	if (go_read(&pattern, span->request, o->request_pat))
		return false;
	return !pattern || copy_field(span, &span->route, pattern, o->pattern_str, ROUTE_LIMIT);
}

/* func (w *response) finishRequest() */
SEC("uprobe")
int finish_request(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = traced_process(ctx, tgid);
	struct operation_key key = {};
	struct server_offsets *o;
	struct server_span *span;
	__u64 status;
	__u32 binary, used;

	if (!process)
		return 0;
	binary = process->binary;
	o = bpf_map_lookup_elem(&offsets, &binary);
	if (!o || !goroutine_key(ctx, o, tgid, process, &key))
		return 0; /* its entry is swept and counted when the goroutine or the process goes */
	span = bpf_map_lookup_elem(&requests, &key);
	if (!span)
		return 0; /* began before it was traced, or was counted when it began */
	if (span->response != GO_ARG0(ctx) || go_read(&status, span->response, o->response_status)) {
		count(COUNTER_LOST_UNREADABLE);
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	span->status = status;
	span->head.end = now;
	if (!note_route(span, o))
		count(COUNTER_PARTIAL_UNREADABLE);
	used = span->used;
	bounded(used);
	if (used > TEXTS_SIZE)
		used = TEXTS_SIZE;
	submit(span, __builtin_offsetof(struct server_span, texts) + used);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
