/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The parts of the kernel's structs that lead from a file descriptor to its socket. The loader
 * finds them by name in the type information of the running kernel.
 *
 * Sources: include/linux/{fs,fdtable,sched,net,tcp,spinlock_types}.h,
 * include/net/{sock,af_unix}.h, net/mptcp/protocol.h. */
#pragma once

#include <bpf/bpf_core_read.h>

#include "types.h"

#define KERNEL_STRUCT __attribute__((preserve_access_index))

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
} KERNEL_STRUCT;

struct file {
	struct inode *f_inode;
	void *private_data;
} KERNEL_STRUCT;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} KERNEL_STRUCT;

struct files_struct {
	struct fdtable *fdt;
} KERNEL_STRUCT;

struct task_struct {
	struct files_struct *files;
} KERNEL_STRUCT;

struct in6_addr {
	__u64 words[2];
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} KERNEL_STRUCT;

struct socket;

typedef struct {
	int counter;
} KERNEL_STRUCT atomic_t;

typedef struct qspinlock {
	atomic_t val;
} KERNEL_STRUCT arch_spinlock_t;

typedef struct raw_spinlock {
	arch_spinlock_t raw_lock;
} KERNEL_STRUCT raw_spinlock_t;

typedef struct spinlock {
	struct raw_spinlock rlock;
} KERNEL_STRUCT spinlock_t;

typedef struct {
	spinlock_t slock;
	int owned;
} KERNEL_STRUCT socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	__u16 sk_protocol;
	struct socket *sk_socket;
} KERNEL_STRUCT;

struct socket {
	struct file *file;
	struct sock *sk;
} KERNEL_STRUCT;

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 snd_una;
	__u64 bytes_received;
	__u64 bytes_acked;
} KERNEL_STRUCT;

struct mptcp_sock {
	struct sock *first;
} KERNEL_STRUCT;

struct unix_sock {
	struct sock *peer;
} KERNEL_STRUCT;

#define FAMILY_UNIX 1
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define STATE_SYN_SENT 2 /* TCP_SYN_SENT: include/net/tcp_states.h */
#define PROTOCOL_TCP 6
#define PROTOCOL_MPTCP 262
#define MODE_FORMAT 0170000
#define MODE_SOCKET 0140000

/* Whether the kernel may be at work on a socket. */
static __always_inline bool in_use(struct sock *sk)
{
	if (BPF_CORE_READ(sk, sk_lock.owned))
		return true;
	return bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.val.counter) &&
	       BPF_CORE_READ(sk, sk_lock.slock.rlock.raw_lock.val.counter);
}
