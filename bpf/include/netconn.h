/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The peer and the connection of a net.Conn. A type that is not known here has neither. */
#pragma once

#include "types.h"
#include "go.h"
#include "gotype.h"
#include "connection.h"
#include "spancontext.h"
#include "wrapped.h"

/* Functions are distances from the start of the binary's code. */
struct conn_offsets {
	__u32 itab_fun; /* runtime.itab.fun */
	/* First methods of net.Conn: Close. The last one is of a library's own type, which begins
	 * with another net.Conn. */
	__u32 tcp_close, unix_close, tls_close, wrapper_close;
	/* First methods of net.Addr: Network. */
	__u32 tcp_network, unix_network;
	__u32 tls_conn; /* crypto/tls.Conn.conn */
	__u32 conn_fd;	/* net.conn.fd, the first field of net.TCPConn and net.UnixConn */
	__u32 fd_raddr; /* net.netFD.raddr */
	__u32 tcp_ip, tcp_port;
	__u32 unix_name;
	/* net.netFD.pfd, internal/poll.FD.Sysfd and .fdmu, and the state of the latter. */
	__u32 fd_poll, poll_sysfd, poll_mutex, mutex_state;
	struct wrapped_offsets wrapped;
};

/* The kind of a peer. */
enum peer_kind {
	PEER_UNKNOWN,
	PEER_IPV4,
	PEER_IPV6,
	PEER_UNIX,
};

struct peer {
	__u8 address[16]; /* of IP, in network order; IPv4 takes the first four */
	__u16 port;
	__u8 kind; /* enum peer_kind */
	__u8 reserved;
	__u32 reserved2;
};

/* Reads a net.Addr. The path of a unix socket goes into `name`, for the caller to copy. */
static __always_inline void read_addr(const struct conn_offsets *o, __u64 text,
				      const struct go_interface *addr, struct peer *peer,
				      struct go_string *name)
{
	__u32 network = first_method(o->itab_fun, text, addr);
	struct go_slice ip;
	__u64 port;

	if (network == ABSENT)
		return;
	if (network == o->tcp_network) {
		if (go_read(&ip, addr->data, o->tcp_ip) || go_read(&port, addr->data, o->tcp_port))
			return;
		if (ip.length != 4 && ip.length != 16)
			return;
		if (ip.length == 4 ? bpf_probe_read_user(peer->address, 4, (const void *)ip.data)
				   : bpf_probe_read_user(peer->address, 16, (const void *)ip.data))
			return;
		peer->port = port;
		peer->kind = ip.length == 4 ? PEER_IPV4 : PEER_IPV6;
	} else if (network == o->unix_network) {
		if (!go_read(name, addr->data, o->unix_name))
			peer->kind = PEER_UNIX;
	}
}

/* How many types may lie around a socket. */
#define MOST_WRAPPERS 6

/* Finds the net.netFD of a net.Conn, through TLS and through types that wrap a connection. `text`
 * is the address of the binary's code in the process. 0: the connection is of an unknown type. */
__noinline __u64 fd_of(const struct conn_offsets *o, __u64 text, __u64 conn_at)
{
	struct go_interface conn;
	__u64 fd;

	if (!o || o->itab_fun == ABSENT || o->conn_fd == ABSENT || go_read(&conn, conn_at, 0))
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MOST_WRAPPERS; i++) {
		__u32 close = first_method(o->itab_fun, text, &conn);
		enum inner inner = INNER_CONN;

		if (close == ABSENT)
			return 0;
		if (close == o->tcp_close || close == o->unix_close)
			inner = INNER_SOCKET;
		else if (close == o->tls_close)
			inner = INNER_TLS;
		else if (close != o->wrapper_close)
			inner = unwrap(&o->wrapped, text, &conn);
		else if (go_read(&conn, conn.data, 0))
			return 0;
		if (inner == INNER_SOCKET)
			return go_read(&fd, conn.data, o->conn_fd) ? 0 : fd;
		if (inner == INNER_TLS
			    ? o->tls_conn == ABSENT || go_read(&conn, conn.data, o->tls_conn)
			    : inner != INNER_CONN)
			return 0;
	}
	return 0;
}

/* Finds the peer of a net.Conn. */
static __always_inline void read_peer(const struct conn_offsets *o, __u64 text, __u64 fd,
				      struct peer *peer, struct go_string *name)
{
	struct go_interface addr;

	peer->kind = PEER_UNKNOWN;
	if (fd && o->fd_raddr != ABSENT && !go_read(&addr, fd, o->fd_raddr))
		read_addr(o, text, &addr, peer, name);
}

#define MUTEX_CLOSED 1 /* mutexClosed: src/internal/poll/fd_mutex.go */

/* Finds the key of a connection. A descriptor that was closed may be another connection's by now,
 * but Go notes the close first. False: the connection is not known, or nobody asks for it, and
 * `connection` has no key. */
BPF_SUBPROGRAM int find_connection(const struct conn_offsets *o, __u64 fd, enum connection_end end,
				   struct connection *connection)
{
	struct finding finding = {};
	__u64 sysfd, state;

	if (!connection)
		return false;
	connection->key.key = 0;
	if (isolated)
		return false;
	if (o && fd && o->fd_poll != ABSENT && o->poll_sysfd != ABSENT && o->poll_mutex != ABSENT &&
	    o->mutex_state != ABSENT && !go_read(&sysfd, fd, o->fd_poll + o->poll_sysfd) &&
	    connection_of(connection, sysfd, end, &finding) &&
	    !go_read(&state, fd, o->fd_poll + o->poll_mutex + o->mutex_state) &&
	    !(state & MUTEX_CLOSED)) {
		if (finding.numbers)
			store_id(&finding.key, finding.numbers);
		return true;
	}
	connection->key.key = 0; /* half a key may be in there */
	return false;
}

/* Finds the key of a connection for an operation. An unknown connection is counted: nobody finds
 * the operation's parent or child there. */
static __always_inline int read_connection(const struct conn_offsets *o, __u64 fd,
					   enum connection_end end, struct connection *connection)
{
	int found = find_connection(o, fd, end, connection);

	if (!found && !isolated)
		count(COUNTER_DEGRADED_UNKNOWN_CONNECTION);
	return found;
}
