//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Stores for which request a goroutine is started, however deep below the goroutine that serves the
 * request. A goroutine knows its starter, but not the request that the starter worked for. */
#include "arch.h"
#include "go.h"
#include "spancontext.h"

struct goroutine_offsets {
	__u32 g_goid;
	__u32 g_parent_goid; /* Go 1.21 and later */
};

#define OFFSETS struct goroutine_offsets
#include "offsets.h"

/* runqput(pp *p, gp *g, next bool), called by newproc */
SEC("uprobe")
int note_goroutine(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 g = GO_ARG1(ctx), goid, starter;
	struct goroutine_offsets *o;
	struct operation_key key = {};
	struct span_way found = {};
	struct span_key wanted;
	enum way_state state;

	if (!begin(traced_process(ctx, tgid), tgid, &key, &o) || o->g_parent_goid == ABSENT ||
	    go_read(&starter, g, o->g_parent_goid))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_GOROUTINE, starter, 0);
	state = read_span(&wanted, &found);
	if ((state != WAY_ACTIVE && state != WAY_INHERITED) || go_read(&goid, g, o->g_goid))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_GOROUTINE, goid, 0);
	store_ids(&wanted, found.trace_id, found.span_id, found.flags,
		  state == WAY_ACTIVE ? starter : found.extra, WAY_INHERITED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
