/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The parent of an operation inside its process.
 *
 * The parent is the span of the context.Context that a call got, or of a context that this one was
 * derived from. Else it is the span of the request that the goroutine serves. Else it is the span
 * of the request that the goroutine's starter served when it started the goroutine. That holds as
 * long as nobody can have given the goroutine other work, and for a call whose context says of no
 * request. An uncertain parent is no parent. announcement.h finds parents in other processes. */
#pragma once

#include "go.h"
#include "gotype.h"
#include "process.h"
#include "spancontext.h"

struct parent_offsets {
	__u32 g_parent_goid; /* Go 1.21 and later */
	__u32 g_m, m_p, p_goidcache, p_goidcacheend;
	__u32 sched_goidgen; /* runtime.sched.goidgen, a distance from the start of the code */
	__u32 g_waitreason, g_startpc;
	__u32 go_handler; /* function: of goroutines that serve one request each */
	/* In Go 1.20 a timerCtx begins with the address of its cancelCtx. */
	__u32 timer_deadline; /* function: the first method of *timerCtx */
	__u32 timer_timer;
	__u32 itab_fun;
	__u32 value_deadline; /* function: the first method of *valueCtx */
	/* Functions: the first methods of the contexts that derive from nothing. Go up to 1.20 has
	 * one type for both, and does not say who started a goroutine. */
	__u32 background_deadline, todo_deadline;
	/* Functions: the first methods of contexts that hold their parent, and no other context. */
	__u32 cancel_deadline, without_cancel_deadline, after_func_deadline, stop_deadline;
	__u32 signal_deadline; /* os/signal.signalCtx */
	__u32 children;	       /* 1: the binary may make calls; 0: no call looks for its parent */
};

/* The keys of a request while its server handles it. */
struct served {
	__u64 text;	/* address of the binary's code; 0: not known */
	__u64 only_one; /* whether the goroutine was started for this request alone */
	struct span_key context, goroutine;
};

static __always_inline enum inherited inherit_way(struct span_head *head,
						  const struct span_way *way)
{
	__builtin_memcpy(head->trace_id, way->trace_id, sizeof(head->trace_id));
	__builtin_memcpy(head->parent_id, way->span_id, sizeof(head->parent_id));
	head->flags = way->flags;
	return follow_parent(head);
}

/* The place of a context's parent. All contexts of the standard library begin with their parent,
 * except for a timerCtx in Go 1.20. */
static __always_inline bool parent_at(const struct parent_offsets *o, __u64 text,
				      const struct go_interface *context, __u64 *at)
{
	*at = context->data;
	return o->timer_timer != sizeof(__u64) || !text ||
	       !holds(o->itab_fun, text, context, o->timer_deadline) ||
	       !go_read(at, context->data, 0);
}

/* A context of context.WithValue. */
struct value_context {
	struct go_interface parent, key, value; /* key and value in either order */
};

/* Reads the parent of a context, and the key and value of a context of context.WithValue. False:
 * the context could not be read. */
static __always_inline bool read_context(const struct parent_offsets *o, __u64 text,
					 const struct go_interface *context,
					 struct value_context *found)
{
	__u64 at;

	__builtin_memset(found, 0, sizeof(*found));
	if (text && holds(o->itab_fun, text, context, o->value_deadline))
		return !go_read(found, context->data, 0);
	return parent_at(o, text, context, &at) && !go_read(&found->parent, at, 0);
}

static __always_inline __u64 with_context(__u64 mixture, const struct value_context *context)
{
	mixture = mixed(mixture + context->parent.data);
	mixture = mixed(mixture + context->key.type) + context->key.data;
	return mixed(mixture + context->value.type) + context->value.data;
}

/* A mark that tells a context from a later one at the same address, after a garbage collection. The
 * mark follows from the context's parent and grandparent, and from the values that they hold.
 * Contexts made in a row may give way to others in the same places, with the same parents. 0: the
 * context could not be read. */
BPF_SUBPROGRAM __u64 fingerprint(const struct parent_offsets *o, __u64 text,
				 const struct go_interface *context)
{
	struct value_context found;
	struct go_interface parent;
	__u64 mixture;

	if (!o || !context || !read_context(o, text, context, &found))
		return 0;
	mixture = with_context(0, &found);
	parent = found.parent;
	if (read_context(o, text, &parent, &found))
		mixture = with_context(mixture, &found);
	return mixture;
}

/* The ids of goroutines that do not exist yet. Each processor takes ids in batches. The rest of the
 * present batch is for goroutines to come, and so are all ids beyond the last that any processor
 * took. Three numbers share a word: the first id of the rest (40 bits), its size (8), and the last
 * id's distance from the first (16). */
#define GOID_BITS 40
#define GOID_MASK ((1ULL << GOID_BITS) - 1)
#define LAST_UNKNOWN 0xffff

static __always_inline __u64 goids_to_come(const struct parent_offsets *o, __u64 g, __u64 text)
{
	__u64 m, p, batch[2], last, left = 0, distance = LAST_UNKNOWN;

	if (o->g_parent_goid == ABSENT || o->g_m == ABSENT || o->m_p == ABSENT ||
	    o->p_goidcache == ABSENT || o->p_goidcacheend != o->p_goidcache + sizeof(batch[0]) ||
	    go_read(&m, g, o->g_m) || go_read(&p, m, o->m_p) || go_read(&batch, p, o->p_goidcache))
		return LAST_UNKNOWN;
	if (batch[1] - batch[0] <= 0xff)
		left = batch[1] - batch[0];
	if (text && o->sched_goidgen != ABSENT && !go_read(&last, text, o->sched_goidgen) &&
	    last - batch[0] + 1 < LAST_UNKNOWN)
		distance = last - batch[0] + 1;
	return (batch[0] & GOID_MASK) << 24 | left << 16 | distance;
}

/* For a goroutine that serves nothing else. */
#define ALL_GOIDS (~0ULL)

/* Whether a goroutine did not exist yet when `goids` was stored. */
static __always_inline bool came_later(__u64 goids, __u64 goid)
{
	__u64 distance = (goid - (goids >> 24)) & GOID_MASK;

	if (goids == ALL_GOIDS)
		return true;
	if (distance > GOID_MASK / 2)
		return false; /* less than the first id */
	return distance < (goids >> 16 & 0xff) ||
	       ((goids & 0xffff) != LAST_UNKNOWN && distance >= (goids & 0xffff));
}

/* Stores the context of a request that is about to be served, under its context and its goroutine.
 * The caller has filled in the first two fields of `served`. */
BPF_SUBPROGRAM int store_served(struct served *served, const struct span_head *head,
				const struct operation_key *key, const struct parent_offsets *o,
				const struct go_interface *context)
{
	if (isolated || !served || !head || !key || !o || !context || !o->children)
		return 0;
	served->context =
		key_in(key->tgid, key->generation, KEY_CONTEXT, context->type, context->data);
	store_span_context(&served->context, head, fingerprint(o, served->text, context),
			   WAY_ACTIVE);
	served->goroutine = key_in(key->tgid, key->generation, KEY_GOROUTINE, head->goid, 0);
	store_span_context(&served->goroutine, head,
			   served->only_one ? ALL_GOIDS : goids_to_come(o, head->g, served->text),
			   WAY_ACTIVE);
	return 0;
}

static __always_inline void end_served(struct served *served, const struct span_head *head)
{
	if (!served->context.key)
		return; /* not stored */
	/* Work that goes on has the context. The goroutine has served. */
	end_span(&served->context, head);
	release_ended(&served->goroutine, head);
}

/* Contexts that a search looks at, from the innermost out. */
#define MAX_ANCESTORS 24

/* Finds the span of a context, or of its nearest ancestor that has one. A context of an unknown
 * type may well begin with its parent, as a type that embeds a context does. The search is safe if
 * not: only a stored pair of type and address is ever found. */
BPF_SUBPROGRAM bool find_context(const struct operation_key *key, const struct parent_offsets *o,
				 __u64 text, const struct go_interface *innermost,
				 struct span_way *found)
{
	struct go_interface context;

	if (isolated || !key || !o || !innermost || !found)
		return false;
	context = *innermost;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_ANCESTORS; i++) {
		struct span_key wanted;
		__u64 at;

		if (!context.type || !context.data)
			return false;
		wanted =
			key_in(key->tgid, key->generation, KEY_CONTEXT, context.type, context.data);
		if (read_span(&wanted, found) != WAY_EMPTY && found->extra &&
		    found->extra == fingerprint(o, text, &context))
			return true;
		if (!parent_at(o, text, &context, &at) || go_read(&context, at, 0))
			return false;
	}
	return false;
}

static __always_inline bool is_one_of(__u32 first, const __u32 *functions, __u32 n)
{
	for (__u32 i = 0; i < n; i++) {
		if (first == functions[i])
			return true;
	}
	return false;
}

/* Whether a context says of no request: the standard library has derived it, step by step, from
 * Background or TODO. A context of another type may hold any number of contexts, of which it asks
 * one for values. src/net/lookup.go, onlyValuesCtx, begins with Background and has the values of
 * another context. A context that is nil says of none either. */
BPF_SUBPROGRAM bool says_of_none(const struct parent_offsets *o, __u64 text,
				 const struct go_interface *innermost)
{
	struct go_interface context;

	if (!o || !innermost)
		return false;
	context = *innermost;
	if (!context.type)
		return true;
	if (!text)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_ANCESTORS; i++) {
		__u32 first = first_method(o->itab_fun, text, &context);
		const __u32 none[] = { o->background_deadline, o->todo_deadline };
		const __u32 derived[] = { o->value_deadline,	  o->cancel_deadline,
					  o->timer_deadline,	  o->without_cancel_deadline,
					  o->after_func_deadline, o->stop_deadline,
					  o->signal_deadline };
		__u64 at;

		if (first == ABSENT)
			return false;
		if (is_one_of(first, none, sizeof(none) / sizeof(none[0])))
			return true;
		if (!is_one_of(first, derived, sizeof(derived) / sizeof(derived[0])) ||
		    !parent_at(o, text, &context, &at) || go_read(&context, at, 0))
			return false;
	}
	return false;
}

/* A goroutine that makes a call. */
struct caller {
	__u64 g, goid;
	__u64 text; /* address of the binary's code; 0: not known */
};

/* Whether a goroutine still works for the request that it was started for. A goroutine that has
 * waited may have got other work: a pool's worker does. runtime.gopark says why a goroutine waits,
 * in g.waitreason, which is zero until then, and which runtime.gdestroy clears. A goroutine that
 * has made a call may have got other work, too, even if it need not wait for that. A goroutine that
 * runs a handler gets none. */
BPF_SUBPROGRAM bool still_works_for_starter(const struct operation_key *key,
					    const struct caller *caller,
					    const struct parent_offsets *o)
{
	struct span_way called = {};
	struct span_key wanted;
	__u8 waited;
	__u64 start;

	if (!key || !caller || !o || o->g_waitreason == ABSENT ||
	    go_read(&waited, caller->g, o->g_waitreason))
		return false;
	wanted = key_in(key->tgid, key->generation, KEY_CALLER, caller->goid, 0);
	if (!waited && read_span(&wanted, &called) == WAY_EMPTY)
		return true;
	return caller->text && o->go_handler != ABSENT && o->g_startpc != ABSENT &&
	       !go_read(&start, caller->g, o->g_startpc) && start - caller->text == o->go_handler;
}

/* Notes that a goroutine makes a call. */
static __always_inline void note_caller(const struct operation_key *key,
					const struct span_head *head)
{
	struct span_key caller = key_in(key->tgid, key->generation, KEY_CALLER, head->goid, 0);

	store_ids(&caller, head->trace_id, head->span_id, head->flags, 0, WAY_ENDED);
}

/* The request that a goroutine is at work for. */
enum works_for {
	WORKS_FOR_NONE,	   /* or for one that is not known */
	WORKS_FOR_SERVED,  /* the goroutine serves it */
	WORKS_FOR_STARTER, /* the goroutine was started for it */
};

/* Finds the span of the request that a goroutine, or its starter, serves. */
BPF_SUBPROGRAM enum works_for find_goroutine(const struct operation_key *key,
					     const struct caller *caller,
					     const struct parent_offsets *o, struct span_way *found)
{
	struct span_way origin = {};
	struct span_key wanted;
	enum way_state state;
	__u64 starter;

	if (isolated || !key || !caller || !o || !found)
		return WORKS_FOR_NONE;
	wanted = key_in(key->tgid, key->generation, KEY_GOROUTINE, caller->goid, 0);
	state = read_span(&wanted, found);
	if (state == WAY_ACTIVE)
		return WORKS_FOR_SERVED;
	if (state == WAY_INHERITED) {
		/* The parent is a request that may have ended since. */
		wanted = key_in(key->tgid, key->generation, KEY_GOROUTINE, found->extra, 0);
		if (read_span(&wanted, &origin) != WAY_ACTIVE ||
		    *(__u64 *)origin.span_id != *(__u64 *)found->span_id)
			return WORKS_FOR_NONE;
	} else {
		if (state == WAY_ENDED || o->g_parent_goid == ABSENT ||
		    go_read(&starter, caller->g, o->g_parent_goid))
			return WORKS_FOR_NONE;
		wanted = key_in(key->tgid, key->generation, KEY_GOROUTINE, starter, 0);
		state = read_span(&wanted, found);
		if (state == WAY_INHERITED)
			count(COUNTER_DEGRADED_AMBIGUOUS_PARENT); /* the starter had waited */
		if (state != WAY_ACTIVE)
			return WORKS_FOR_NONE;
	}
	/* The starter may have served another request when it started this goroutine. */
	if ((state == WAY_INHERITED || came_later(found->extra, caller->goid)) &&
	    still_works_for_starter(key, caller, o))
		return WORKS_FOR_STARTER;
	count(COUNTER_DEGRADED_AMBIGUOUS_PARENT);
	return WORKS_FOR_NONE;
}

/* Fills in the trace of an operation that the program itself began, and the operation's own id.
 * True: the call is to be noted, by note_caller. */
static __always_inline bool inherit_inside(struct span_head *head, const struct operation_key *key,
					   const struct caller *caller,
					   const struct parent_offsets *o,
					   const struct go_interface *context)
{
	struct span_way found = {}, own = {};
	struct span_key goroutine;

	new_span_id(head, NULL);
	if (find_context(key, o, caller->text, context, &found)) {
		inherit_way(head, &found);
		goroutine = key_in(key->tgid, key->generation, KEY_GOROUTINE, caller->goid, 0);
		return read_span(&goroutine, &own) != WAY_ACTIVE;
	}
	switch (find_goroutine(key, caller, o, &found)) {
	case WORKS_FOR_SERVED:
		inherit_way(head, &found);
		return false;
	case WORKS_FOR_STARTER:
		/* The context may be of another request. */
		if (says_of_none(o, caller->text, context)) {
			inherit_way(head, &found);
			return true;
		}
		count(COUNTER_DEGRADED_UNKNOWN_CONTEXT);
		begin_trace(head, NULL);
		return true;
	default:
		break;
	}
	begin_trace(head, NULL);
	return false;
}
