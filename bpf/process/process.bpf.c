//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/* Reports to discovery: a process starts a program, a process ends, a process listens. A program
 * whose file is attached is traced from its first instruction on. The decision is made here; user
 * space confirms or revokes it. */
#include "types.h"
#include "arch.h"
#include "counters.h"
#include "event.h"
#include "process.h"
#include "ring.h"
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
	struct task_struct *group_leader;
	__u64 start_boottime;
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

/* The bytes of events that wait, by a hash of the user and the executable. All files that are not
 * attached count as one: whoever starts many programs need not be a target. */
enum event_table {
	EVENT_TABLE_SIZE = 1024, /* a power of two */
};
#define NOT_ATTACHED 0xffffffff

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EVENT_TABLE_SIZE);
	__type(key, __u32);
	__type(value, struct waiting_bytes);
} waiting_events SEC(".maps");

/* Whether there is room for an event of a process that runs such an executable. While the ring
 * buffer is crowded, each user and executable has a part. */
static __always_inline bool room_for_event(__u32 binary)
{
	__u64 in_ring = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 word = (__u64)binary << 32 | (__u32)bpf_get_current_uid_gid();
	struct waiting_bytes *mine;
	__u32 place;

	if (in_ring < EVENTS_SIZE / 4)
		return true;
	place = mixed(mixed(hash_seed[0] ^ word) + hash_seed[1]) & (EVENT_TABLE_SIZE - 1);
	mine = bpf_map_lookup_elem(&waiting_events, &place);
	return !mine || count_in_ring(mine, bpf_ringbuf_query(&events, BPF_RB_CONS_POS), in_ring,
				      EVENTS_SIZE - in_ring, sizeof(struct event) + 8);
}

/* Sends an event of the process that a task belongs to, and that runs such an executable. */
static __always_inline void send_event(struct event *event, struct task_struct *task, __u32 binary)
{
	event->start = task->group_leader->start_boottime;
	if (!room_for_event(binary) || bpf_ringbuf_output(&events, event, sizeof(*event), 0))
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
	send_event(&event, task, binary ? *binary : NOT_ATTACHED);
	return 0;
}

/* include/trace/events/sched.h: (struct task_struct *p, …), once for each thread */
SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct event event = { .kind = EVENT_EXIT, .tgid = task->tgid };
	struct process *process;
	__u32 its;

	if (task->signal->live.counter)
		return 0; /* do_exit has counted this thread out already */
	process = bpf_map_lookup_elem(&processes, &event.tgid);
	if (!process)
		return 0;
	event.generation = process->generation;
	its = process->binary;
	bpf_map_delete_elem(&processes, &event.tgid);
	send_event(&event, task, its);
	return 0;
}

/* include/trace/events/sock.h: (const struct sock *sk, const int oldstate, const int newstate) */
SEC("tp_btf/inet_sock_set_state")
int process_listen(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct event event = { .kind = EVENT_LISTEN };
	struct process *process;

	if ((int)ctx[2] != TCP_LISTEN)
		return 0;
	event.tgid = bpf_get_current_pid_tgid() >> 32;
	event.port = sk->__sk_common.skc_num;
	process = bpf_map_lookup_elem(&processes, &event.tgid);
	send_event(&event, bpf_get_current_task_btf(), process ? process->binary : NOT_ATTACHED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
