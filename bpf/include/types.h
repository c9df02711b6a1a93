/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What every program of spanprobe includes first. */
#pragma once

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef _Bool bool;
#define true 1
#define false 0

/* A field that this binary does not have, or whose place is not known; the
 * value that the planner writes: probe.Absent. */
#define ABSENT ((__u32)~0)

/* Keeps the compiler from undoing a bound that the verifier must see. */
#define bounded(x) asm volatile("" : "+r"(x))

/* A function of a header that is called, and not copied to where it is called from. Not each program
 * has a use for it. */
#define called static __noinline __attribute__((unused))
