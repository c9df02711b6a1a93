//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Stores for which request a goroutine is started, however deep below the goroutine that serves the
 * request. A goroutine knows its starter, but not the request that the starter worked for. */
#include "arch.h"
#include "go.h"
#include "parent.h"

struct goroutine_offsets {
	__u32 g_goid;
	__u32 m_curg;
	struct parent_offsets parent;
};

#define OFFSETS struct goroutine_offsets
#include "offsets.h"

/* runqput(pp *p, gp *g, next bool), called by newproc on the stack of the thread */
SEC("uprobe")
int note_goroutine(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct caller starter = {};
	__u64 g = GO_ARG1(ctx), goid, m;
	const struct parent_offsets *parent;
	struct goroutine_offsets *o;
	struct operation_key key = {};
	struct span_way found = {};
	struct span_key wanted;
	enum way_state state;

	if (!begin(traced_process(ctx, tgid), tgid, &key, &o))
		return 0;
	parent = &o->parent;
	if (parent->g_parent_goid == ABSENT || go_read(&starter.goid, g, parent->g_parent_goid))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_GOROUTINE, starter.goid, 0);
	state = read_span(&wanted, &found);
	if ((state != WAY_ACTIVE && state != WAY_INHERITED) || go_read(&goid, g, o->g_goid))
		return 0;
	/* A starter that was started for a request itself may have got other work. */
	if (state == WAY_INHERITED &&
	    (parent->g_m == ABSENT || o->m_curg == ABSENT || go_read(&m, GO_G(ctx), parent->g_m) ||
	     go_read(&starter.g, m, o->m_curg) || !still_works_for_starter(&key, &starter, parent)))
		return 0;
	wanted = key_in(key.tgid, key.generation, KEY_GOROUTINE, goid, 0);
	store_ids(&wanted, found.trace_id, found.span_id, found.flags,
		  state == WAY_ACTIVE ? starter.goid : found.extra, WAY_INHERITED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
