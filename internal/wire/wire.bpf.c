//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* No program. This object tells the Go side everything that the kernel and user space exchange: the
 * types, and the names of maps and variables. */
#include "types.h"
#include "arch.h"
#include "counters.h"
#include "event.h"
#include "handover.h"
#include "losses.h"
#include "maplayout.h"
#include "netconn.h"
#include "process.h"
#include "ring.h"
#include "span.h"
#include "spanstore.h"
#include "tracestate.h"

/* The part of an operation, and of the offsets, that is the same in all libraries. */
struct any_operation {
	struct span_head head;
	__u8 texts[8];
};
struct any_offsets {
	__u32 g_goid;
};
#define OPERATION struct any_operation
#define OFFSETS struct any_offsets
#include "operation.h"
#include "keep.h"

EXPORT_TYPE(enum, absence);
EXPORT_TYPE(enum, context_bit);
EXPORT_TYPE(enum, counter);
EXPORT_TYPE(struct, event);
EXPORT_TYPE(enum, event_kind);
EXPORT_TYPE(struct, file_key);
EXPORT_TYPE(enum, generation);
EXPORT_TYPE(enum, keeping);
EXPORT_TYPE(enum, kept_count);
EXPORT_TYPE(enum, map_layout);
EXPORT_TYPE(struct, operation_key);
EXPORT_TYPE(struct, peer);
EXPORT_TYPE(enum, peer_kind);
EXPORT_TYPE(enum, process_table);
EXPORT_TYPE(struct, span_head);
EXPORT_TYPE(struct, text);
EXPORT_TYPE(enum, trace_flag);
EXPORT_TYPE(enum, tracestate_limit);
EXPORT_TYPE(enum, way_state);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
