/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The type of an interface value: src/internal/abi/type.go, up to Go 1.20 src/runtime/type.go. */
#pragma once

#include "types.h"
#include "go.h"

/* The first method of the type in a non-empty interface, which identifies the type. The itab has
 * the addresses of the methods, in the order of their names. Even a stripped binary has a table of
 * its functions. `text` is the address of the binary's code in the process; the result is a
 * distance from there. ABSENT: the method could not be read, or lies elsewhere. */
static __always_inline __u32 first_method(__u32 itab_fun, __u64 text,
					  const struct go_interface *value)
{
	__u64 first;

	if (!value->type || go_read(&first, value->type, itab_fun) || first - text >= ABSENT)
		return ABSENT;
	return first - text;
}

/* Whether an interface holds the type whose first method is `function`. */
static __always_inline bool holds(__u32 itab_fun, __u64 text, const struct go_interface *value,
				  __u32 function)
{
	return function != ABSENT && first_method(itab_fun, text, value) == function;
}

struct type_offsets {
	__u32 types;	 /* distance of moduledata.types from the start of the code */
	__u32 itab_type; /* runtime.itab._type */
	__u32 tflag;
	__u32 str; /* offset of the type's name from moduledata.types */
};

#define TFLAG_EXTRA_STAR (1 << 1) /* the name has a * in front that is not part of the type */
#define LONGEST_SHORT_NAME 127	  /* bytes whose count takes one byte, as a varint */

/* Finds the name of the type in a non-empty interface, such as "*net.OpError". False: the name is
 * not known. */
static __always_inline bool type_name(const struct type_offsets *o, __u64 text,
				      const struct go_interface *value, struct go_string *name)
{
	__u64 type;
	__s32 str;
	__u8 tflag, head[2]; /* of a name: flags and length */

	if (o->types == ABSENT || o->itab_type == ABSENT || o->tflag == ABSENT || o->str == ABSENT)
		return false;
	if (go_read(&type, value->type, o->itab_type) || go_read(&tflag, type, o->tflag) ||
	    go_read(&str, type, o->str))
		return false;
	name->data = text + o->types + str;
	if (str <= 0 || go_read(&head, name->data, 0) || head[1] > LONGEST_SHORT_NAME)
		return false;
	name->data += sizeof(head);
	name->length = head[1];
	if (tflag & TFLAG_EXTRA_STAR) {
		name->data++;
		name->length--;
	}
	return name->length > 0;
}
