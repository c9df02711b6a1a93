/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Go's basic shapes in the memory of a target. */
#pragma once

#include "types.h"

/* reflect.StringHeader */
struct go_string {
	__u64 data;
	__s64 length;
};

/* reflect.SliceHeader */
struct go_slice {
	__u64 data;
	__s64 length;
	__s64 capacity;
};

/* Reads a value of the target's at base + offset. 0, or a negative errno. */
#define go_read(to, base, offset) \
	bpf_probe_read_user((to), sizeof(*(to)), (const void *)((base) + (offset)))
