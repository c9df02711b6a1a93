//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* No program: the structs of offsets that the headers of bpf/include read by, for
 * the Go side, and the kinds of peers. */
#include "context.h"
#include "gomap.h"
#include "gotype.h"
#include "netconn.h"
#include "parent.h"

const struct conn_offsets *conn_offsets_layout __attribute__((unused));
const struct context_offsets *context_offsets_layout __attribute__((unused));
const struct map_offsets *map_offsets_layout __attribute__((unused));
const struct parent_offsets *parent_offsets_layout __attribute__((unused));
const struct type_offsets *type_offsets_layout __attribute__((unused));
const struct peer *peer_layout __attribute__((unused));
const enum peer_kind *peer_kind_layout __attribute__((unused));

char LICENSE[] SEC("license") = "Dual MIT/GPL";
