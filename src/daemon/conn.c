/* SPDX-License-Identifier: MIT */
/**
 * DOC: Connections
 *
 * A connection waits for its hello, becomes a session, a file, an engine, a stream
 * or a query, and ends with its peer. Every word of a message is checked here; a bad
 * one is answered with its errno and costs the connection.
 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNS 4096

int conn_reply(int fd, const struct wire_welcome *w, const int *fds, unsigned int n_fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * WIRE_N_REGIONS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)w, sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cm = CMSG_FIRSTHDR(&msg);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * n_fds);
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A peer that cannot be answered, because it does not read or is gone, loses its connection. */
static int reply(struct conn *c, const struct wire_welcome *w, const int *fds, unsigned int n_fds)
{
	return conn_reply(c->fd, w, fds, n_fds);
}

static int refuse(struct conn *c, int err)
{
	struct wire_welcome w = { .magic = WIRE_MAGIC, .status = err };

	reply(c, &w, NULL, 0);
	return err;
}

static int32_t peer_pid(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}

static int begin_session(struct conn *c, const struct wire_hello *h)
{
	struct wire_welcome w = { .magic = WIRE_MAGIC };
	int fds[WIRE_N_REGIONS];
	struct session *session;
	int r = session_create(c->server, c, peer_pid(c->fd), h->name, &session);

	if (r < 0)
		return refuse(c, r);
	c->session = session;
	w.session = session->id;
	w.token = session->token;
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++) {
		fds[i] = session->regions[i].fd;
		w.region_bytes[i] = session->regions[i].size;
	}
	return reply(c, &w, fds, WIRE_N_REGIONS);
}

static int hello_session(struct conn *c, const struct wire_hello *h)
{
	if (!session_make_way(c->server, peer_pid(c->fd)))
		return begin_session(c, h);
	c->held = malloc(sizeof(*h));
	if (!c->held)
		return refuse(c, -ENOMEM);
	*c->held = *h;
	return 0;
}

static struct conn *first_held(struct server *s)
{
	struct conn *c;

	vkf_list_for_each(c, &s->conns, link) {
		if (c->held)
			return c;
	}
	return NULL;
}

void conn_resume(struct server *s)
{
	struct conn *c;

	while ((c = first_held(s)) && !session_make_way(s, peer_pid(c->fd))) {
		struct wire_hello *h = c->held;
		int r;

		c->held = NULL;
		r = s->stopping ? refuse(c, -ENODEV) : begin_session(c, h);
		free(h);
		if (r < 0)
			conn_close(c);
	}
}

static void describe_file(const struct conn *c, struct wire_welcome *w)
{
	w->file = driver_file_id(c->file);
	w->session = driver_file_client(c->file);
	w->major = c->major;
	w->minor = c->minor;
	if (driver_file_dmabuf(c->file)) {
		const struct machine_dmabuf *d = driver_file_dmabuf(c->file);

		w->dmabuf_bytes = machine_dmabuf_size(d);
		w->dmabuf_inode = machine_dmabuf_inode(d);
		w->dmabuf_writable = machine_dmabuf_config(d)->writable;
	}
}

/* It says who it is by what stays in its socket, so that poll() finds it readable, as a dma-buf
 * that nobody is writing to. Who reads that away all the same finds the end behind it, and never
 * waits. */
static int hello_made(struct conn *c, const struct wire_hello *h, struct session *session)
{
	struct wire_welcome w = { .magic = WIRE_MAGIC };
	int r;

	c->file = session_take_made(session, h->minor, h->file);
	if (!c->file)
		return refuse(c, -ENOENT);
	if (!driver_file_dmabuf(c->file))
		return refuse(c, -EINVAL);
	describe_file(c, &w);
	r = reply(c, &w, NULL, 0);
	return !r && shutdown(c->fd, SHUT_WR) < 0 ? -errno : r;
}

static int hello_file(struct conn *c, const struct wire_hello *h)
{
	struct session *session = session_find(c->server, h->session, h->token);
	struct wire_welcome w = { .magic = WIRE_MAGIC };
	int r;

	if (!session)
		return refuse(c, -EACCES);
	if (h->file)
		return hello_made(c, h, session);
	r = driver_open(session->client, h->major, h->minor, &c->file);
	if (r < 0)
		return refuse(c, r);
	c->major = h->major;
	c->minor = h->minor;
	describe_file(c, &w);
	return reply(c, &w, NULL, 0);
}

static int on_stream(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct conn *c = userdata;
	struct server *s = c->server;

	if (stream_look(c->stream)) {
		conn_close(c);
		server_check_idle(s);
	}
	return 0;
}

/* From now on the stream is this connection; the one that it came by has said all it had to. */
static int become_stream(struct conn *c, int theirs)
{
	struct wire_welcome w = { .magic = WIRE_MAGIC };
	sd_event_source *io;
	int r;

	describe_file(c, &w);
	r = reply(c, &w, &theirs, 1);
	if (!r)
		r = sd_event_add_io(c->server->event, &io, stream_fd(c->stream), EPOLLIN, on_stream,
				    c);
	if (r < 0)
		return r;
	sd_event_source_unref(c->io);
	close(c->fd);
	c->io = io;
	c->fd = -1;
	return 0;
}

static int hello_stream(struct conn *c, const struct wire_hello *h)
{
	struct session *session = session_find(c->server, h->session, h->token);
	int r, theirs;

	if (!session)
		return refuse(c, -EACCES);
	c->file = session_take_made(session, h->minor, h->file);
	if (!c->file)
		return refuse(c, -ENOENT);
	if (!driver_file_smi(c->file))
		return refuse(c, -EINVAL);
	r = stream_create(c->file, &c->stream, &theirs);
	if (r)
		return refuse(c, r);
	r = become_stream(c, theirs);
	close(theirs);
	return r;
}

static int hello_engine(struct conn *c, const struct wire_hello *h)
{
	struct session *session = session_find(c->server, h->session, h->token);
	struct wire_welcome w = { .magic = WIRE_MAGIC };

	if (!session)
		return refuse(c, -EACCES);
	if (session->engine)
		return refuse(c, -EBUSY);
	c->session = session;
	session_set_engine(session, c);
	return reply(c, &w, NULL, 0);
}

static int hello_query(struct conn *c, const struct wire_hello *h)
{
	int r = query_answer(c->server, c->fd, h->name);

	return r ? refuse(c, r) : 0;
}

static int hello_trace(struct conn *c, const struct wire_hello *h)
{
	int r = trace_start(c->server, c);

	return r ? refuse(c, r) : 0;
}

static int take_hello(struct conn *c, const struct wire_hello *h, size_t len)
{
	static int (*const kinds[])(struct conn *, const struct wire_hello *) = {
		[WIRE_SESSION] = hello_session,
		[WIRE_FILE] = hello_file,
		[WIRE_ENGINE] = hello_engine,
		[WIRE_QUERY] = hello_query,
		[WIRE_TRACE] = hello_trace,
		[WIRE_STREAM] = hello_stream,
	};

	if (len != sizeof(*h) || h->magic != WIRE_MAGIC || h->version != WIRE_VERSION)
		return refuse(c, -EPROTO);
	if (h->kind >= VKF_ARRAY_SIZE(kinds) || !kinds[h->kind] ||
	    !memchr(h->name, '\0', sizeof(h->name)))
		return refuse(c, -EINVAL);
	if (c->server->stopping)
		return refuse(c, -ENODEV);
	c->kind = (enum wire_kind)h->kind;
	return kinds[h->kind](c, h);
}

static int open_slot(struct conn *c, unsigned int slot)
{
	int r = session_open_slot(c->session, slot);

	return r ? refuse(c, r) : 0;
}

static int take_msg(struct conn *c, const struct wire_msg *m, size_t len)
{
	/* A dma-buf that somebody writes to. */
	if (c->kind == WIRE_FILE && driver_file_dmabuf(c->file))
		return 0;
	if (len != sizeof(*m) || c->held)
		return refuse(c, -EPROTO);
	if (c->kind == WIRE_SESSION && m->op == WIRE_SLOT_OPEN)
		return open_slot(c, m->slot);
	if (c->kind == WIRE_SESSION && m->op == WIRE_CANCEL) {
		session_cancel(c->session, m->slot, m->seq);
		return 0;
	}
	if (c->kind == WIRE_TRACE && m->op == WIRE_TRACE_END) {
		trace_end(c->server, c);
		return 0;
	}
	if (c->kind == WIRE_FILE && m->op == WIRE_IDENT) {
		struct wire_welcome w = { .magic = WIRE_MAGIC };

		describe_file(c, &w);
		return reply(c, &w, NULL, 0);
	}
	return refuse(c, -EINVAL);
}

void conn_close(struct conn *c)
{
	struct server *s = c->server;

	trace_end(s, c);
	if (c->session && c->kind == WIRE_ENGINE) {
		session_lose_engine(c->session);
	} else if (c->session) {
		c->session->conn = NULL;
		session_end(c->session);
	}
	stream_destroy(c->stream);
	if (c->file && driver_file_dmabuf(c->file))
		closing_add(s->closing, c->file);
	else if (c->file)
		driver_close(c->file);
	sd_event_source_unref(c->io);
	if (c->fd >= 0)
		close(c->fd);
	free(c->held);
	vkf_list_del(&c->link);
	s->n_conns--;
	free(c);
}

static int on_conn(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct conn *c = userdata;
	struct server *s = c->server;
	union {
		struct wire_hello hello;
		struct wire_msg msg;
		char buf[512];
	} in;
	ssize_t n = recv(fd, &in, sizeof(in), MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		r = -ECONNRESET;
	else if (!c->kind)
		r = take_hello(c, &in.hello, (size_t)n);
	else
		r = take_msg(c, &in.msg, (size_t)n);
	if (r < 0 || c->kind == WIRE_QUERY) {
		conn_close(c);
		server_check_idle(s);
	}
	return 0;
}

static int accept_from(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* Without a descriptor to take it, a program would wait in the queue, and the listening socket stay
 * readable: it gets the one kept for this, and its end at once. */
static void turn_away(struct server *s, int listen_fd)
{
	int fd;

	if (s->spare_fd >= 0)
		close(s->spare_fd);
	fd = accept_from(listen_fd);
	if (fd >= 0)
		close(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int conn_accept(struct server *s, int listen_fd)
{
	int fd = accept_from(listen_fd);
	struct conn *c;
	int r;

	if (fd == -EMFILE || fd == -ENFILE)
		turn_away(s, listen_fd);
	if (fd < 0)
		return fd;
	c = s->n_conns < MAX_CONNS ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->server = s;
	c->fd = fd;
	r = sd_event_add_io(s->event, &c->io, fd, EPOLLIN, on_conn, c);
	if (r < 0) {
		close(fd);
		free(c);
		return r;
	}
	vkf_list_add_tail(&c->link, &s->conns);
	s->n_conns++;
	return 0;
}
