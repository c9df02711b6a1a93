/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What the kernel knows of a socket, by which its two ends find each other.
 *
 * A TCP connection has a name that both of its ends agree on, and no other connection ever has:
 * its addresses and ports, and the sequence numbers that it began with. The same addresses may
 * exist twice, in unrelated namespaces of the network, and be used again; the sequence numbers of the same
 * addresses go up by one each 64 ns (net/core/secure_seq.c, seq_scale), and come through no proxy. They follow
 * from how far each direction has come and how many bytes that were. */
#pragma once

#include <bpf/bpf_core_read.h>

#include "types.h"
#include "spancontext.h"

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

struct ns_common {
	unsigned int inum;
} KERNEL_STRUCT;

struct net {
	struct ns_common ns;
} KERNEL_STRUCT;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	possible_net_t skc_net;
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

struct unix_sock {
	struct sock *peer;
} KERNEL_STRUCT;

#define FAMILY_UNIX 1
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define PROTOCOL_TCP 6
#define MODE_FORMAT 0170000
#define MODE_SOCKET 0140000

/* A connection as both of its ends name it. */
struct connection {
	struct span_key key; /* 0: it is not known */
	__u8 uncertain;	     /* whether it may have another key */
	__u8 reserved[7];
};

/* Which end of a connection a process is. */
enum connection_end {
	END_CLIENT,
	END_SERVER,
};

/* Whether anything of the kernel's may be at work on a socket. */
static __always_inline bool in_use(struct sock *sk)
{
	if (BPF_CORE_READ(sk, sk_lock.owned))
		return true;
	return bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.val.counter) &&
	       BPF_CORE_READ(sk, sk_lock.slock.rlock.raw_lock.val.counter);
}

/* The sequence numbers of the first byte in each direction, the client's above the
 * server's. They never change. */
static __always_inline __u64 read_numbers(struct sock *sk, enum connection_end end)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	__u32 sent = BPF_CORE_READ(tcp, snd_una) - (__u32)BPF_CORE_READ(tcp, bytes_acked);
	__u32 received = BPF_CORE_READ(tcp, rcv_nxt) - (__u32)BPF_CORE_READ(tcp, bytes_received);

	/* Who has opened the connection has its own SYN among the bytes acknowledged. */
	sent += end == END_CLIENT;
	return end == END_CLIENT ? (__u64)sent << 32 | received : (__u64)received << 32 | sent;
}

/* Times that the numbers are read of a socket that is in use: some microseconds, in which the
 * kernel is through with a packet, unless it is interrupted. */
#define TRIES 64

/* What was found out about a socket, and is to be kept: by a key, as the id of a span. 0: nothing
 * that was not known. */
struct finding {
	struct span_key key;
	__u64 numbers;
};

/* Finds the sequence numbers of a socket, of which the connection's key has the addresses; 0: they cannot be
 * told. Each follows from two, which the kernel updates one after the other, and may be
 * interrupted in between for long. So what was read while nobody used the socket is kept,
 * for when somebody does. */
called __u64 sequence_numbers(struct sock *sk, enum connection_end end, struct connection *connection,
			      struct finding *finding)
{
	__u64 kept, numbers = 0, last;
	bool certain = false;

	if (!connection || !finding)
		return 0;
	finding->key = connection->key;
	add_to_key(&finding->key, (__u64)sk);
	kept = read_id(&finding->key);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TRIES; i++) {
		bool used = in_use(sk);

		last = numbers;
		numbers = read_numbers(sk, end);
		if (numbers == kept)
			return numbers;
		/* Twice, since a packet may have come and gone in between. */
		if (numbers == last && !used && !in_use(sk)) {
			certain = true;
			break;
		}
	}
	if (certain)
		finding->numbers = numbers;
	/* Not those of an earlier connection that had the same addresses and lay in the same place. */
	else if (kept && ((__u32)kept == (__u32)numbers || kept >> 32 == numbers >> 32))
		return kept;
	else
		connection->uncertain = true;
	return numbers == last ? numbers : 0;
}

/* Adds the addresses of a TCP connection, and its ports: the client's, then the
 * server's. They identify it together with its numbers. Addresses of IPv4 are the same whichever socket has them. */
called int add_addresses(struct connection *connection, struct sock *sk, __u32 end)
{
	unsigned short family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct in6_addr local, remote;
	__u16 local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	__u16 remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	bool client = end == END_CLIENT;

	if (!connection)
		return false;
	if (family == FAMILY_INET6) {
		BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
	} else if (family == FAMILY_INET) {
		local.words[0] = remote.words[0] = 0;
		local.words[1] = (__u64)BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr) << 32 | 0xffff0000;
		remote.words[1] = (__u64)BPF_CORE_READ(sk, __sk_common.skc_daddr) << 32 | 0xffff0000;
	} else {
		return false;
	}
	if (!remote_port)
		return false; /* not connected any more */
	add_to_key(&connection->key, client ? local.words[0] : remote.words[0]);
	add_to_key(&connection->key, client ? local.words[1] : remote.words[1]);
	add_to_key(&connection->key, client ? remote.words[0] : local.words[0]);
	add_to_key(&connection->key, client ? remote.words[1] : local.words[1]);
	add_to_key(&connection->key, client ? (__u32)local_port << 16 | remote_port : (__u32)remote_port << 16 | local_port);
	/* Both ends are at one address: in one namespace, then. */
	if (local.words[0] == remote.words[0] && local.words[1] == remote.words[1])
		add_to_key(&connection->key, BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum));
	return true;
}

static __always_inline bool add_tcp(struct connection *connection, struct sock *sk, __u32 end, struct finding *finding)
{
	__u64 numbers;

	if (!add_addresses(connection, sk, end))
		return false;
	numbers = sequence_numbers(sk, end, connection, finding);
	add_to_key(&connection->key, numbers);
	return numbers != 0;
}

/* The same of unix sockets: the two are at addresses of their own, and the client's
 * has a number. */
called int add_unix(struct connection *connection, struct sock *sk, __u32 end)
{
	struct sock *peer;
	struct sock *client;

	if (!connection)
		return false;
	if (!bpf_core_field_exists(struct unix_sock, peer))
		return false;
	peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	if (!peer)
		return false;
	client = end == END_CLIENT ? sk : peer;
	add_to_key(&connection->key, (__u64)client);
	add_to_key(&connection->key, (__u64)(end == END_CLIENT ? peer : sk));
	add_to_key(&connection->key, BPF_CORE_READ(client, sk_socket, file, f_inode, i_ino));
	return true;
}

/* Finds the socket that a file descriptor of the current process is. 0: it is none. What is
 * read of the kernel's takes room on the stack, so each part is a function of its own. */
called struct sock *socket_of(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds) || bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & MODE_FORMAT) != MODE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* Finds out which connection a file descriptor of the current process is an end of
 * (enum connection_end). What it fills in has no meaning where it cannot be told. The finding is for
 * the caller to keep, who has more room on the stack. */
__noinline int connection_of(struct connection *connection, __u32 fd, __u32 end, struct finding *finding)
{
	unsigned short family;
	struct sock *sk;

	if (!connection || !finding)
		return false;
	sk = socket_of(fd);
	if (!sk)
		return false;
	connection->key = new_key(KEY_REQUEST);
	connection->uncertain = false;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == FAMILY_UNIX)
		return add_unix(connection, sk, end);
	return BPF_CORE_READ(sk, sk_protocol) == PROTOCOL_TCP && add_tcp(connection, sk, end, finding);
}
