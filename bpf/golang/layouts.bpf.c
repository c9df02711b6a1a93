//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* No program. This object tells the Go side the structs of offsets that the headers of bpf/include
 * read by. */
#include "context.h"
#include "maplayout.h"
#include "gotype.h"
#include "netconn.h"
#include "parent.h"

EXPORT_TYPE(struct, conn_offsets);
EXPORT_TYPE(struct, context_offsets);
EXPORT_TYPE(struct, map_offsets);
EXPORT_TYPE(struct, parent_offsets);
EXPORT_TYPE(struct, type_offsets);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
