/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The reports of the tracepoints to user space, and the files whose new processes are traced from
 * their first instruction on. */
#pragma once

#include "types.h"

/* A file as the kernel names it: inode.i_sb.s_dev, inode.i_ino. */
struct file_key {
	__u64 dev;
	__u64 ino;
};

/* The attached files of which all processes are targets, and the indices of their binaries. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct file_key);
	__type(value, __u32);
} files SEC(".maps");

enum event_kind {
	EVENT_EXEC = 1,
	EVENT_EXIT = 2,
	EVENT_LISTEN = 3,
};

struct event {
	enum event_kind kind;
	__u32 tgid;
	__u32 generation; /* exec: of the new program, if it is traced already; exit: of the ended
			     one */
	__u32 port;	  /* listen */
	__u64 start;	  /* of the process, in ns since boot: the same id comes again */
};

#define EVENTS_SIZE (256 * 1024)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_SIZE);
} events SEC(".maps");
