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

/* runtime.eface and runtime.iface */
struct go_interface {
	__u64 type;
	__u64 data;
};

/* Reads a value from the target's memory at base + offset. The result is 0 or a negative errno. */
#define go_read(to, base, offset) \
	bpf_probe_read_user((to), sizeof(*(to)), (const void *)((base) + (offset)))

/* Takes a value out of the first `size` bytes at base. The buffer `piece` holds these bytes if
 * `have` is true. A value outside of the piece is read by itself. A read costs the same for 8 bytes
 * as for 256. But a piece may reach into a page that the target has not touched yet, and such a
 * read fails. False: the value could not be read. */
#define go_take(to, piece, have, size, base, offset)                         \
	({                                                                   \
		__u32 at = (offset);                                         \
		bool ok = true;                                              \
		bounded(at);                                                 \
		if ((have) && at <= (size) - sizeof(*(to)))                  \
			__builtin_memcpy((to), (piece) + at, sizeof(*(to))); \
		else                                                         \
			ok = !go_read((to), (base), (offset));               \
		ok;                                                          \
	})
