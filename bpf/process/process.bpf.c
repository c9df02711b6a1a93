//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Reports to discovery: a process starts a program, a process ends, a process listens. A program
 * whose file is attached is traced from its first instruction on. The decision is made here; user
 * space confirms or revokes it. */
#include "types.h"
#include "arch.h"
#include "counters.h"
#include "process.h"
#include "span.h"
#include "spanstore.h"
#include "tracestate.h"

/* The parts of the kernel's structs that the programs read. The loader finds them by name in the
 * type information of the running kernel. Sources: include/linux/{sched,sched/signal,mm_types,fs}.h
 * and include/net/sock.h. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block {
	__u32 s_dev;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct file {
	struct inode *f_inode;
};
struct mm_struct {
	struct file *exe_file;
};
typedef struct {
	int counter;
} atomic_t;
struct signal_struct {
	atomic_t live;
};
struct task_struct {
	int tgid;
	struct mm_struct *mm;
	struct signal_struct *signal;
};
struct sock_common {
	__u16 skc_num;
};
struct sock {
	struct sock_common __sk_common;
};
#pragma clang attribute pop

#define TCP_LISTEN 10 /* include/net/tcp_states.h */

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
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

static __always_inline void send_event(struct event *event)
{
	if (bpf_ringbuf_output(&events, event, sizeof(*event), 0))
		count(COUNTER_EVENTS_LOST);
}

/* include/trace/events/sched.h: (struct task_struct *p, pid_t old_pid, struct linux_binprm
 * *bprm) */
SEC("tp_btf/sched_process_exec")
int process_exec(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct event event = { .kind = EVENT_EXEC, .tgid = task->tgid };
	struct process process = {};
	struct file_key key = {};
	struct inode *inode;
	__u32 *binary;

	/* The program that ran under this id is gone. */
	bpf_map_delete_elem(&processes, &event.tgid);

	inode = task->mm->exe_file->f_inode;
	key.dev = inode->i_sb->s_dev;
	key.ino = inode->i_ino;
	binary = bpf_map_lookup_elem(&files, &key);
	if (binary) {
		process.generation = new_generation();
		process.binary = *binary;
		if (!bpf_map_update_elem(&processes, &event.tgid, &process, BPF_ANY))
			event.generation = process.generation;
	}
	send_event(&event);
	return 0;
}

/* include/trace/events/sched.h: (struct task_struct *p, …), once for each thread */
SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct event event = { .kind = EVENT_EXIT, .tgid = task->tgid };
	struct process *process;

	if (task->signal->live.counter)
		return 0; /* do_exit has counted this thread out already */
	process = bpf_map_lookup_elem(&processes, &event.tgid);
	if (!process)
		return 0;
	event.generation = process->generation;
	bpf_map_delete_elem(&processes, &event.tgid);
	send_event(&event);
	return 0;
}

/* include/trace/events/sock.h: (const struct sock *sk, const int oldstate, const int newstate) */
SEC("tp_btf/inet_sock_set_state")
int process_listen(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct event event = { .kind = EVENT_LISTEN };

	if ((int)ctx[2] != TCP_LISTEN)
		return 0;
	event.tgid = bpf_get_current_pid_tgid() >> 32;
	event.port = sk->__sk_common.skc_num;
	send_event(&event);
	return 0;
}

/* The types by which Go decodes records. */
EXPORT_TYPE(struct, span_head);
EXPORT_TYPE(struct, operation_key);
EXPORT_TYPE(struct, event);
EXPORT_TYPE(enum, context_bit);
EXPORT_TYPE(enum, keeping);
EXPORT_TYPE(enum, counter);
EXPORT_TYPE(enum, way_state);
EXPORT_TYPE(enum, absence);
EXPORT_TYPE(enum, generation);
EXPORT_TYPE(enum, kept_count);
EXPORT_TYPE(enum, trace_flag);
EXPORT_TYPE(enum, tracestate_limit);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
