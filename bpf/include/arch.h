/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The registers of a probed thread, and their use by Go's internal ABI.
 *
 * Register layouts: arch/x86/include/uapi/asm/ptrace.h and arch/arm64/include/uapi/asm/ptrace.h of
 * the kernel. Argument order and the register of g: src/cmd/compile/abi-internal.md of Go, from
 * 1.17 (amd64) and 1.18 (arm64) on. */
#pragma once

#include "types.h"

/* Results are in the registers of the arguments. */
#define GO_RESULT0 GO_ARG0
#define GO_RESULT1 GO_ARG1
#define GO_RESULT2 GO_ARG2
#define GO_RESULT3 GO_ARG3

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	__u64 ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#define GO_ARG0(ctx) ((ctx)->ax)
#define GO_ARG1(ctx) ((ctx)->bx)
#define GO_ARG2(ctx) ((ctx)->cx)
#define GO_ARG3(ctx) ((ctx)->di)
#define GO_ARG4(ctx) ((ctx)->si)
#define GO_ARG5(ctx) ((ctx)->r8)
#define GO_CLOSURE(ctx) ((ctx)->dx)
#define GO_G(ctx) ((ctx)->r14)
#define GO_PC(ctx) ((ctx)->ip)
#define GO_SP(ctx) ((ctx)->sp)
#define GO_STACK_ARGS(ctx) (GO_SP(ctx) + 8) /* at the entry: behind the return address */

/* Whether the function runs again. A site is at or behind the function's stack check, with the
 * flags of its compare. The `jbe` goes to runtime.morestack, which calls the function again, if CF
 * or ZF is set. */
#define GO_RUNS_AGAIN(ctx) (!!((ctx)->flags & (1 << 0 | 1 << 6)))

/* Orders the next read after the read of a word. */
#define reads_follow(word) asm volatile("" ::: "memory")

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	__u64 regs[31], sp, pc, pstate;
};

#define GO_ARG0(ctx) ((ctx)->regs[0])
#define GO_ARG1(ctx) ((ctx)->regs[1])
#define GO_ARG2(ctx) ((ctx)->regs[2])
#define GO_ARG3(ctx) ((ctx)->regs[3])
#define GO_ARG4(ctx) ((ctx)->regs[4])
#define GO_ARG5(ctx) ((ctx)->regs[5])
#define GO_CLOSURE(ctx) ((ctx)->regs[26])
#define GO_G(ctx) ((ctx)->regs[28])
#define GO_PC(ctx) ((ctx)->pc)
#define GO_SP(ctx) ((ctx)->sp)
#define GO_STACK_ARGS(ctx) (GO_SP(ctx) + 8) /* at the entry: behind the saved link register */

/* As above: the `b.ls` is taken if C is clear or Z is set. */
#define GO_RUNS_AGAIN(ctx) (((ctx)->pstate & (1 << 30)) || !((ctx)->pstate & (1 << 29)))

/* The processor itself reads ahead. An atomic addition that returns a value is a barrier. */
#define reads_follow(word)                                      \
	({                                                      \
		__u64 before = __sync_fetch_and_add((word), 0); \
		bounded(before);                                \
	})

#else
#error "no Go ABI known for this architecture"
#endif
