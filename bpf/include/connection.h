/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The name of a connection, which is the same at both of its ends.
 *
 * A TCP connection is named by the sequence numbers that it began with, one in each direction: 64
 * bits that no other connection has at the same time, but by a chance of one in 2^64. The addresses
 * are no part of the name. They may exist twice, in unrelated network namespaces, and they may
 * differ at the two ends: behind a Service of Kubernetes, among others. Who translates addresses
 * leaves the numbers alone. No proxy passes them on. They follow from the present position in each
 * direction and the count of bytes so far. */
#pragma once

#include "types.h"
#include "kernelsock.h"
#include "spanstore.h"

/* A connection as both of its ends name it. */
struct connection {
	struct span_key key; /* 0: not known */
	__u8 uncertain;	     /* whether the connection may have another key */
	__u8 reserved[7];
};

/* The end of a connection that a process is. */
enum connection_end {
	END_CLIENT,
	END_SERVER,
};

/* The sequence numbers of the first byte in each direction, the client's above the server's. They
 * never change. */
static __always_inline __u64 read_numbers(struct sock *sk, enum connection_end end)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	__u32 sent = BPF_CORE_READ(tcp, snd_una) - (__u32)BPF_CORE_READ(tcp, bytes_acked);
	__u32 received = BPF_CORE_READ(tcp, rcv_nxt) - (__u32)BPF_CORE_READ(tcp, bytes_received);

	/* The end that opened the connection has its own SYN among the bytes acknowledged. */
	sent += end == END_CLIENT;
	return end == END_CLIENT ? (__u64)sent << 32 | received : (__u64)received << 32 | sent;
}

/* Reads of the numbers of a socket that is in use. They take some microseconds. By then the kernel
 * is through with a packet, unless something interrupts it. */
#define TRIES 64

/* A discovery about a socket that the caller has to store: by a key, as the id of a span. 0: no new
 * discovery. */
struct finding {
	struct span_key key;
	__u64 numbers;
};

/* Finds the sequence numbers of a socket; 0: they are uncertain. The finding's key has the
 * addresses already. Each number follows from two others. The kernel updates these one after the
 * other, and may be interrupted in between for long. So the store keeps the numbers that were read
 * while nobody used the socket. */
BPF_SUBPROGRAM __u64 sequence_numbers(struct sock *sk, enum connection_end end,
				      struct connection *connection, struct finding *finding)
{
	__u64 kept, numbers = 0, last;
	bool certain = false;

	if (!connection || !finding)
		return 0;
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
	/* The numbers in the store may be those of an earlier connection, with the same addresses
	 * and a socket in the same place. */
	else if (kept && ((__u32)kept == (__u32)numbers || kept >> 32 == numbers >> 32))
		return kept;
	else
		connection->uncertain = true;
	return numbers == last ? numbers : 0;
}

/* Adds the addresses and ports of a TCP socket. False: it is not connected. With TCP Fast Open the
 * request goes with the SYN, and nobody knows the server's number yet. */
BPF_SUBPROGRAM int add_addresses(struct span_key *key, struct sock *sk)
{
	unsigned short family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 remote_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	struct in6_addr local = {}, remote = {};

	if (!key || !remote_port || BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_SYN_SENT)
		return false;
	if (family == FAMILY_INET6) {
		BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
	} else if (family == FAMILY_INET) {
		local.words[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		remote.words[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		return false;
	}
	add_to_key(key, local.words[0]);
	add_to_key(key, local.words[1]);
	add_to_key(key, remote.words[0]);
	add_to_key(key, remote.words[1]);
	add_to_key(key, (__u32)BPF_CORE_READ(sk, __sk_common.skc_num) << 16 | remote_port);
	return true;
}

/* Adds the numbers of a TCP connection. */
static __always_inline bool add_tcp(struct connection *connection, struct sock *sk, __u32 end,
				    struct finding *finding)
{
	__u64 numbers;

	finding->key = new_key(KEY_REQUEST);
	if (!add_addresses(&finding->key, sk))
		return false;
	numbers = sequence_numbers(sk, end, connection, finding);
	add_to_key(&connection->key, numbers);
	return numbers != 0;
}

/* Adds the name of a connection between unix sockets. The two sockets are at addresses of their
 * own, and the client's has an inode number. */
BPF_SUBPROGRAM int add_unix(struct connection *connection, struct sock *sk, __u32 end)
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

/* Finds the socket of a file descriptor of the current process. NULL: the descriptor is no socket.
 * Each read of kernel memory takes room on the stack, so each part is a function of its own. */
BPF_SUBPROGRAM struct sock *socket_of(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & MODE_FORMAT) != MODE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* Finds the socket of TCP that a connection began with. Connections over several paths (MPTCP) have
 * sockets of TCP below their own. NULL: there is none. */
static __always_inline struct sock *tcp_of(struct sock *sk)
{
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	if (protocol == PROTOCOL_MPTCP && bpf_core_field_exists(struct mptcp_sock, first))
		return BPF_CORE_READ((struct mptcp_sock *)sk, first);
	return protocol == PROTOCOL_TCP ? sk : NULL;
}

/* Finds the connection of a file descriptor of the current process, which is its `end` (enum
 * connection_end). False: the connection is not known, and the structs have no meaning. The caller
 * stores the finding, because the caller has more room on the stack. */
__noinline int connection_of(struct connection *connection, __u32 fd, __u32 end,
			     struct finding *finding)
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
	sk = tcp_of(sk);
	return sk && add_tcp(connection, sk, end, finding);
}
