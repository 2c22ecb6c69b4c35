/* SPDX-License-Identifier: MIT */
#include "shim/conn.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "shim/env.h"
#include "shim/shim.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/* The address that the driver's sockets are bound to, as the kernel tells it. */
static struct sockaddr_un peer;
static atomic_bool peer_known;

uint64_t conn_cookie(int fd)
{
	uint64_t cookie = 0;
	uint32_t len = sizeof(cookie);

	if (SYS5(getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return 0;
	return cookie;
}

static int connect_driver(void)
{
	const struct shim_env *e = shim_env();
	long fd, r;

	if (!e->active)
		return -ENODEV;
	fd = SYS3(socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? (int)fd : -ENODEV;
	do
		r = SYS3(connect, fd, &e->sock, sizeof(e->sock));
	while (r == -EINTR || r == -EAGAIN);
	if (r < 0) {
		sys_close((int)fd);
		return -ENODEV;
	}
	return (int)fd;
}

static int send_all(int fd, const void *buf, size_t len)
{
	for (;;) {
		long n = SYS6(sendto, fd, buf, len, MSG_NOSIGNAL, NULL, 0);
		struct pollfd p = { fd, POLLOUT, 0 };

		if (n == (long)len)
			return 0;
		if (n == -EAGAIN)
			SYS5(ppoll, &p, 1, NULL, NULL, 8);
		else if (n != -EINTR)
			return -EIO;
	}
}

int conn_send(int fd, const struct wire_msg *msg)
{
	return send_all(fd, msg, sizeof(*msg));
}

static void close_all(const int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (fds[i] >= 0)
			sys_close(fds[i]);
}

/* Take the descriptors of @msg, all or none. */
static int take_fds(struct msghdr *msg, int *ret_fds, unsigned int n_fds)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	unsigned int n = 0;
	int fds[16];

	if (cm && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS) {
		n = (unsigned int)((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		n = n > 16 ? 16 : n;
		memcpy(fds, CMSG_DATA(cm), n * sizeof(int));
	}
	if (n != n_fds) {
		close_all(fds, n);
		/* The kernel drops what the table of descriptors has no room for. */
		return msg->msg_flags & MSG_CTRUNC ? -EMFILE : -EIO;
	}
	memcpy(ret_fds, fds, n * sizeof(int));
	return 0;
}

static int recv_welcome(int fd, struct wire_welcome *w, int *ret_fds, unsigned int n_fds, int flags)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { w, sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd p = { fd, POLLIN, 0 };
	int none[1];
	long n;

	for (;;) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		n = SYS3(recvmsg, fd, &msg, MSG_CMSG_CLOEXEC | flags);
		if (n == -EAGAIN)
			SYS5(ppoll, &p, 1, NULL, NULL, 8);
		else if (n != -EINTR)
			break;
	}
	if (n == 0 || n == -ECONNRESET)
		return -ENODEV;
	if (n != sizeof(*w) || w->magic != WIRE_MAGIC)
		return -EIO;
	if (w->status < 0) {
		take_fds(&msg, none, 0);
		return w->status < -4095 ? -EIO : w->status;
	}
	return take_fds(&msg, ret_fds ? ret_fds : none, n_fds);
}

int conn_open(struct wire_hello *hello, struct wire_welcome *ret_welcome, int *ret_fds,
	      unsigned int n_fds)
{
	struct wire_welcome w;
	int fd = connect_driver();
	int r;

	if (fd < 0)
		return fd;
	hello->magic = WIRE_MAGIC;
	hello->version = WIRE_VERSION;
	r = send_all(fd, hello, sizeof(*hello));
	if (r)
		r = -ENODEV;
	else
		r = recv_welcome(fd, &w, ret_fds, n_fds, hello->file ? MSG_PEEK : 0);
	if (r) {
		sys_close(fd);
		return r;
	}
	*ret_welcome = w;
	return fd;
}

int conn_peek(int fd, struct wire_welcome *ret_welcome)
{
	struct wire_welcome w;
	long n = SYS6(recvfrom, fd, &w, sizeof(w), MSG_PEEK | MSG_DONTWAIT, NULL, NULL);

	if (n != sizeof(w) || w.magic != WIRE_MAGIC || w.status)
		return -EIO;
	*ret_welcome = w;
	return 0;
}

int conn_ident(int fd, struct wire_welcome *ret_welcome)
{
	struct wire_msg msg = { .op = WIRE_IDENT };
	struct wire_welcome w;

	if (send_all(fd, &msg, sizeof(msg)) || recv_welcome(fd, &w, NULL, 0, 0))
		return -EIO;
	*ret_welcome = w;
	return 0;
}

static bool peer_name(int fd, struct sockaddr_un *ret)
{
	uint32_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return SYS3(getpeername, fd, ret, &len) == 0 && ret->sun_family == AF_UNIX;
}

/* The name of the driver's end, by a connection that says nothing. Whoever comes first stores
 * it; the others store the same. */
static bool learn_peer(void)
{
	struct sockaddr_un name;
	int fd = connect_driver();
	bool ok;

	if (fd < 0)
		return false;
	ok = peer_name(fd, &name);
	sys_close(fd);
	if (ok) {
		peer = name;
		atomic_store_explicit(&peer_known, true, memory_order_release);
	}
	return ok;
}

bool conn_is_ours(int fd)
{
	struct sockaddr_un name;

	if (!shim_env()->active || !peer_name(fd, &name) || !name.sun_path[0])
		return false;
	if (strcmp(name.sun_path, shim_env()->sock.sun_path) == 0)
		return true;
	if (!atomic_load_explicit(&peer_known, memory_order_acquire) && !learn_peer())
		return false;
	return strcmp(name.sun_path, peer.sun_path) == 0;
}

bool conn_is_dead(int fd)
{
	struct __kernel_timespec now = { 0, 0 };
	struct pollfd p = { fd, POLLRDHUP, 0 };
	long n = SYS5(ppoll, &p, 1, &now, NULL, 8);

	return n > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
}

int conn_query(const char *name)
{
	struct wire_hello hello = { .kind = WIRE_QUERY };
	struct wire_welcome w;
	size_t len = strlen(name);
	int fd, sock;

	if (len >= sizeof(hello.name))
		return -ENAMETOOLONG;
	memcpy(hello.name, name, len);
	sock = conn_open(&hello, &w, &fd, 1);
	if (sock < 0)
		return sock;
	sys_close(sock);
	return fd;
}
