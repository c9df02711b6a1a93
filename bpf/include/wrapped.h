/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Connections that lie in another type: limiters, meters and the like wrap a net.Conn in a struct
 * of their own. The description of that type, which Go keeps for reflection, says where in the
 * struct the connection is. A struct with two connections says nothing. Neither does a description
 * that is not in memory.
 *
 * Sources: src/internal/abi/type.go of Go 1.21 to 1.27 (Type, PtrType, InterfaceType, StructType,
 * UncommonType, Name). */
#pragma once

#include "types.h"
#include "go.h"
#include "gotype.h"

struct wrapped_offsets {
	__u32 types;	 /* distance of moduledata.types from the start of the code */
	__u32 itab_type; /* internal/abi.ITab.Type */
	/* internal/abi.Type.TFlag. ABSENT: an older Go describes its types otherwise. */
	__u32 described;
};

/* Places in internal/abi.Type, and behind it. */
#define TYPE_HEAD 20
#define TYPE_STR 40
#define TYPE_MORE 48	 /* PtrType.Elem, InterfaceType.PkgPath */
#define TYPE_FIELDS 56	 /* StructType.Fields */
#define TYPE_UNCOMMON 80 /* UncommonType.PkgPath of a struct */

/* internal/abi.Type from TFlag to Kind_. The stack has no room for all of a type. */
struct type_head {
	__u8 tflag, align, field_align, kind;
};

#define KIND_MASK 31
#define KIND_INTERFACE 20
#define KIND_POINTER 22
#define KIND_STRUCT 25
#define HAS_UNCOMMON (1 << 0)
/* An interface holds the value itself. The bit is of Kind_, and from Go 1.26 on of TFlag. */
#define DIRECT (1 << 5)

/* Places in internal/abi.StructField. */
#define FIELD_TYPE 8
#define FIELD_OFFSET 16
#define FIELD_SIZE 24

#define MOST_FIELDS 16

/* The connection in a struct. */
enum inner {
	INNER_NONE,
	INNER_CONN,   /* a net.Conn */
	INNER_SOCKET, /* a *net.TCPConn or *net.UnixConn */
	INNER_TLS,    /* a *crypto/tls.Conn */
	INNER_UNCLEAR,
};

/* The beginning of a name: flags, length, and text. */
struct go_name {
	__u8 flags, length;
	char text[14];
};

static __always_inline bool is(const struct go_name *name, const char *text, __u32 length)
{
	return name->length == length && !__builtin_memcmp(name->text, text, length);
}

#define IS(name, text) is((name), (text), sizeof(text) - 1)

static __always_inline bool read_name(struct go_name *name, __u64 at)
{
	__builtin_memset(name, 0, sizeof(*name));
	return !go_read(name, at, 0);
}

/* Tells which connection a value of a type is (enum inner). `types` is where descriptions begin.
 * The kernel verifies functions that are not static once, and not for each of their callers. */
__noinline int inner_of(__u64 type, __u64 types)
{
	enum inner inner = INNER_NONE;
	struct type_head head;
	struct go_name name;
	__u64 more;
	__s32 str;
	__u8 kind;

	if (go_read(&head, type, TYPE_HEAD))
		return INNER_UNCLEAR;
	kind = head.kind & KIND_MASK;
	if (kind != KIND_INTERFACE && kind != KIND_POINTER)
		return INNER_NONE;
	if (go_read(&str, type, TYPE_STR) || go_read(&more, type, TYPE_MORE) ||
	    !read_name(&name, types + str))
		return INNER_UNCLEAR;
	if (kind == KIND_INTERFACE) {
		if (!(head.tflag & TFLAG_EXTRA_STAR) || !IS(&name, "*net.Conn"))
			return INNER_NONE;
		if (!read_name(&name, more))
			return INNER_UNCLEAR;
		return IS(&name, "net") ? INNER_CONN : INNER_NONE;
	}
	if (IS(&name, "*net.TCPConn") || IS(&name, "*net.UnixConn"))
		inner = INNER_SOCKET;
	else if (IS(&name, "*tls.Conn"))
		inner = INNER_TLS;
	else
		return INNER_NONE;
	if (go_read(&head, more, TYPE_HEAD) || go_read(&str, more, TYPE_UNCOMMON) ||
	    !read_name(&name, types + str))
		return INNER_UNCLEAR;
	if ((head.kind & KIND_MASK) != KIND_STRUCT || !(head.tflag & HAS_UNCOMMON) ||
	    !(inner == INNER_TLS ? IS(&name, "crypto/tls") : IS(&name, "net")))
		return INNER_NONE;
	return inner;
}

/* Finds the one field of a struct that is a connection. Returns its enum inner, with its offset in
 * the upper half. */
__noinline __u64 inner_field(__u64 type, __u64 types)
{
	__u64 fields, word, found = INNER_NONE;
	__u32 count;

	if (go_read(&fields, type, TYPE_FIELDS) ||
	    go_read(&word, type, TYPE_FIELDS + sizeof(fields)) || word > MOST_FIELDS)
		return INNER_NONE;
	count = word;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MOST_FIELDS; i++) {
		enum inner inner;

		if (i >= count)
			break;
		if (go_read(&word, fields, FIELD_TYPE))
			return INNER_UNCLEAR;
		inner = inner_of(word, types);
		if (inner != INNER_NONE) {
			if (inner == INNER_UNCLEAR || found || go_read(&word, fields, FIELD_OFFSET))
				return INNER_UNCLEAR;
			found = word << 32 | inner;
		}
		fields += FIELD_SIZE;
	}
	return found;
}

/* Finds the connection in a net.Conn of an unknown type, and puts it in the place of that. Returns
 * enum inner. */
__noinline int unwrap(const struct wrapped_offsets *o, __u64 text, struct go_interface *conn)
{
	bool direct = false;
	struct type_head head;
	__u64 type, found;
	enum inner inner;

	if (!o || !conn || o->types == ABSENT || o->itab_type == ABSENT || o->described == ABSENT ||
	    !conn->type || go_read(&type, conn->type, o->itab_type) ||
	    go_read(&head, type, TYPE_HEAD))
		return INNER_NONE;
	if ((head.kind & KIND_MASK) == KIND_POINTER) {
		if (go_read(&type, type, TYPE_MORE) || go_read(&head, type, TYPE_HEAD))
			return INNER_NONE;
	} else {
		direct = (head.kind | head.tflag) & DIRECT;
	}
	if ((head.kind & KIND_MASK) != KIND_STRUCT)
		return INNER_NONE;
	found = inner_field(type, text + o->types);
	inner = (__u32)found;
	if (inner == INNER_CONN)
		return go_read(conn, conn->data, found >> 32) ? INNER_NONE : inner;
	if (!direct && inner != INNER_NONE && go_read(&conn->data, conn->data, found >> 32))
		return INNER_NONE;
	return inner;
}
