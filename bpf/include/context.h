/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The search for a value in a context.Context: src/context/context.go. */
#pragma once

#include "types.h"
#include "go.h"
#include "gotype.h"

struct context_offsets {
	__u32 value_deadline; /* function: the first method of *valueCtx, which identifies the type
			       */
	__u32 value_context, value_key, value_val;
};

/* Contexts that a search looks at, from the innermost out. */
#define MAX_CONTEXTS 16

enum context_search {
	CONTEXT_FOUND,
	CONTEXT_NOT_FOUND, /* not among the contexts that can be searched */
	CONTEXT_UNREADABLE,
};

/* Finds the value whose key has the type `key`, a distance from the start of the binary's code. The
 * result, in `data`, is the pointer in the value's interface. The search ends at the first context
 * that is not one of context.WithValue. */
static __always_inline enum context_search context_value(const struct context_offsets *o,
							 __u32 itab_fun, __u64 text,
							 struct go_interface context, __u32 key,
							 __u64 *data)
{
	struct go_interface its_key, value;

	if (key == ABSENT || o->value_context == ABSENT || o->value_key == ABSENT ||
	    o->value_val == ABSENT)
		return CONTEXT_NOT_FOUND;
	for (__u32 i = 0; i < MAX_CONTEXTS; i++) {
		if (!holds(itab_fun, text, &context, o->value_deadline))
			return CONTEXT_NOT_FOUND;
		if (go_read(&its_key, context.data, o->value_key))
			return CONTEXT_UNREADABLE;
		if (its_key.type == text + key) {
			if (go_read(&value, context.data, o->value_val))
				return CONTEXT_UNREADABLE;
			*data = value.data;
			return CONTEXT_FOUND;
		}
		if (go_read(&context, context.data, o->value_context))
			return CONTEXT_UNREADABLE;
	}
	return CONTEXT_NOT_FOUND;
}
