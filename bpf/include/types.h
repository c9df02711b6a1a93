/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The first header of every program of spanprobe. */
#pragma once

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef _Bool bool;
#define true 1
#define false 0

/* The offset of a field that this binary does not have, or whose place is not known. The planner
 * writes this value: probe.Absent. */
enum absence {
	ABSENT = 0xffffffff,
};

/* Keeps the compiler from undoing a bound that the verifier must see. */
#define bounded(x) asm volatile("" : "+r"(x))

/* A function that is called, and not copied into its callers. Copies would make programs longer,
 * and the variables of all copies would lie together on the caller's stack of 512 bytes. The name
 * is in capitals so that nobody takes it for a keyword. `unused`: not every program that includes a
 * header calls all of its functions. */
#define BPF_SUBPROGRAM static __noinline __attribute__((unused))

/* Keeps a type in the object's type information, from which Go's types are generated. */
#define EXPORT_TYPE(kind, name) const kind name *const name##_layout
