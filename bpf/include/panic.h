/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The reason why a deferred function of Go runs: src/runtime/panic.go. */
#pragma once

#include "types.h"
#include "go.h"

enum unwinding {
	UNWINDING_NOT,	   /* its function returns */
	UNWINDING_PANIC,   /* a panic, not recovered yet */
	UNWINDING_GOEXIT,  /* runtime.Goexit, which runs the same functions */
	UNWINDING_UNKNOWN, /* could not be read */
};

/* Finds the reason at the entry of a deferred function. Reads the value of a panic into `value`, an
 * empty interface. g._panic is the innermost panic; a recovered one is no longer there. */
static __always_inline enum unwinding unwinding(__u64 g, __u32 g_panic, __u32 panic_arg,
						__u32 panic_goexit, struct go_interface *value)
{
	__u64 panic;
	__u8 goexit;

	if (go_read(&panic, g, g_panic))
		return UNWINDING_UNKNOWN;
	if (!panic)
		return UNWINDING_NOT;
	if (go_read(&goexit, panic, panic_goexit))
		return UNWINDING_UNKNOWN;
	if (goexit)
		return UNWINDING_GOEXIT;
	if (go_read(value, panic, panic_arg))
		return UNWINDING_UNKNOWN;
	return UNWINDING_PANIC;
}
