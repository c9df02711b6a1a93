/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The status of a call, and the errors that carry a status. */
#pragma once

#include "types.h"
#include "go.h"
#include "gotype.h"

/* The code of a status, or a value in its place. */
enum status_code {
	CODE_OK = 0,
	CODE_UNKNOWN = 0xfffffffd,    /* the place of the code is not known */
	CODE_UNREADABLE = 0xfffffffe, /* the code could not be read */
	CODE_NONE = 0xffffffff,	      /* the error has no status */
};

struct status_offsets {
	__u32 proto; /* grpc/internal/status.Status.s */
	/* googleapis/rpc/status.Status.Code: since 2023 in a module of its own, earlier in the
	 * module of all APIs. */
	__u32 code;
	/* grpc/internal/status.Error.s; up to grpc 1.39 the message instead, as .e. */
	__u32 error_status, error_message;
	__u32 status_error; /* function: (*Error).Error, the first method */
	__u32 error_string; /* function: errors.(*errorString).Error */
	/* The error of fmt.Errorf with "%w": function (*wrapError).Error, and the error inside. */
	__u32 wrap_error, wrapped;
};

/* Reads the code of a message, whose address is in the struct `holder`. No message means OK:
 * (*Status).Code. */
static __always_inline __u32 read_message(const struct status_offsets *o, __u64 holder, __u32 at)
{
	__u64 message;
	__s32 code;

	if (o->code == ABSENT || at == ABSENT)
		return CODE_UNKNOWN;
	if (go_read(&message, holder, at))
		return CODE_UNREADABLE;
	if (!message)
		return CODE_OK;
	return go_read(&code, message, o->code) ? CODE_UNREADABLE : code;
}

/* Reads the code of a *status.Status. */
static __always_inline __u32 read_code(const struct status_offsets *o, __u64 status)
{
	return status ? read_message(o, status, o->proto) : CODE_OK;
}

/* Reads the code of a *status.Error. */
static __always_inline __u32 read_code_of_error(const struct status_offsets *o, __u64 error)
{
	__u64 status;

	if (o->error_status == ABSENT)
		return read_message(o, error, o->error_message);
	return go_read(&status, error, o->error_status) ? CODE_UNREADABLE : read_code(o, status);
}

/* Whether an error is io.EOF, by its text: a stripped binary has no names of variables. */
static __always_inline bool is_eof(const struct status_offsets *o, __u32 itab_fun, __u64 text,
				   const struct go_interface *error)
{
	struct go_string message;
	char found[3];

	return holds(itab_fun, text, error, o->error_string) &&
	       !go_read(&message, error->data, 0) && message.length == sizeof(found) &&
	       !go_read(&found, message.data, 0) && found[0] == 'E' && found[1] == 'O' &&
	       found[2] == 'F';
}

/* Errors that the search for a status looks into, from the outermost on. */
#define MAX_WRAPPED 4

/* The code of the error at the end of a call, as status.Code finds it. io.EOF is the end of a
 * stream without an error. */
static __always_inline __u32 error_code(const struct status_offsets *o, __u32 itab_fun, __u64 text,
					const struct go_interface *error)
{
	struct go_interface inner = *error;

	if (!error->type || is_eof(o, itab_fun, text, error))
		return CODE_OK;
	for (__u32 i = 0; i < MAX_WRAPPED; i++) {
		if (holds(itab_fun, text, &inner, o->status_error))
			return read_code_of_error(o, inner.data);
		if (o->wrapped == ABSENT || !holds(itab_fun, text, &inner, o->wrap_error) ||
		    go_read(&inner, inner.data, o->wrapped))
			return CODE_NONE;
	}
	return CODE_NONE;
}
