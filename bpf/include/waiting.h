/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The parts of a ring buffer that its writers have, while a quarter of it or more is full. */
#pragma once

#include "types.h"

/* The bytes of a writer that wait. The programs learn how far the reader is, and not which records
 * it has read. So they count the bytes up to a mark, and those behind the mark. The reader has read
 * the first ones when it has come to the mark. A new mark is then at the end. */
struct waiting_bytes {
	__u64 mark; /* a position in the ring buffer, as are all of them */
	__u64 last; /* of the last record */
	__u64 before_mark, behind_mark;
};

/* A writer gets no more of the ring buffer than this times what is left, as in operation.h. A
 * writer that is alone gets 85 %, and leaves the rest. */
#define TIMES_LEFT_IN_RING 4

/* Counts the bytes of a record in. The reader is at `read`, behind which `in_ring` bytes wait, and
 * there is room for `left` more. False: the writer has its part. */
static __always_inline bool count_in_ring(struct waiting_bytes *mine, __u64 read, __u64 in_ring,
					  __u64 left, __u64 size)
{
	__u64 mark = *(volatile __u64 *)&mine->mark, before;

	if (read >= mark &&
	    __sync_val_compare_and_swap(&mine->mark, mark, read + in_ring) == mark) {
		before = __sync_lock_test_and_set(&mine->behind_mark, 0);
		mine->before_mark = read > mine->last ? 0 : before;
	}
	if (mine->before_mark + mine->behind_mark >= TIMES_LEFT_IN_RING * left)
		return false;
	mine->last = read + in_ring;
	__sync_fetch_and_add(&mine->behind_mark, size);
	return true;
}
