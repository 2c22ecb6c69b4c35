/* SPDX-License-Identifier: MIT */
#include "shim/file.h"

#include <fcntl.h>
#include "shim/conn.h"
#include "shim/session.h"

_Atomic uint8_t shim_file_hint[FILE_HINTS];

static void set_hint(int fd, bool is_device)
{
	if ((unsigned int)fd < FILE_HINTS)
		atomic_store_explicit(&shim_file_hint[fd], is_device, memory_order_relaxed);
}

/* Cookies are given out in order: neighbours do not meet in the table. */
static struct state_file *entry_of(struct shim_state *st, uint64_t cookie)
{
	return &st->file[cookie % STATE_FILES];
}

static bool recall(uint64_t cookie, struct shim_file *ret)
{
	struct shim_state *st = state_peek();
	struct state_file *e;
	uint32_t seq;
	bool same;

	if (!st)
		return false;
	e = entry_of(st, cookie);
	seq = atomic_load_explicit(&e->seq, memory_order_acquire);
	same = atomic_load_explicit(&e->cookie, memory_order_relaxed) == cookie;
	ret->number = atomic_load_explicit(&e->number, memory_order_relaxed);
	ret->session = atomic_load_explicit(&e->session, memory_order_relaxed);
	ret->major = atomic_load_explicit(&e->major, memory_order_relaxed);
	ret->minor = atomic_load_explicit(&e->minor, memory_order_relaxed);
	ret->bytes = atomic_load_explicit(&e->bytes, memory_order_relaxed);
	ret->inode = atomic_load_explicit(&e->inode, memory_order_relaxed);
	ret->writable = atomic_load_explicit(&e->writable, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	/* Changed meanwhile: as good as unknown. */
	return same && !(seq & 1) && atomic_load_explicit(&e->seq, memory_order_relaxed) == seq;
}

static void remember(uint64_t cookie, const struct shim_file *f)
{
	struct shim_state *st = state_get();
	struct state_file *e;
	uint64_t signals;

	if (!st)
		return;
	e = entry_of(st, cookie);
	shim_lock(&st->files_lock, &signals);
	atomic_fetch_add(&e->seq, 1);
	atomic_store(&e->cookie, cookie);
	atomic_store(&e->number, f->number);
	atomic_store(&e->session, f->session);
	atomic_store(&e->major, f->major);
	atomic_store(&e->minor, f->minor);
	atomic_store(&e->bytes, f->bytes);
	atomic_store(&e->inode, f->inode);
	atomic_store(&e->writable, f->writable);
	atomic_fetch_add(&e->seq, 1);
	shim_unlock(&st->files_lock, &signals);
}

static struct shim_file described(const struct wire_welcome *w)
{
	return (struct shim_file){
		.number = w->file,
		.session = w->session,
		.major = w->major,
		.minor = w->minor,
		.bytes = w->dmabuf_bytes,
		.inode = w->dmabuf_inode,
		.writable = w->dmabuf_writable,
	};
}

bool shim_file_identify(int fd, struct shim_file *ret)
{
	struct wire_welcome w;
	uint64_t cookie = conn_cookie(fd);

	if (cookie && recall(cookie, ret) && ret->number) {
		set_hint(fd, true);
		return true;
	}
	if (!cookie || !conn_is_ours(fd) || (conn_peek(fd, &w) && conn_ident(fd, &w)) || !w.file) {
		set_hint(fd, false);
		return false;
	}
	*ret = described(&w);
	remember(cookie, ret);
	set_hint(fd, true);
	return true;
}

static void set_flags(int fd, int flags)
{
	if (flags & O_NONBLOCK)
		SYS3(fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
	if (!(flags & O_CLOEXEC))
		SYS3(fcntl, fd, F_SETFD, 0);
}

/* Connect as @s with what @hello says, as the program's descriptor. */
static int connect_file(const struct session *s, struct wire_hello *hello, int flags)
{
	struct wire_welcome w;
	struct shim_file f;
	int fd;

	hello->session = s->id;
	hello->token = s->token;
	fd = conn_open(hello, &w, NULL, 0);
	if (fd < 0)
		return fd;
	f = described(&w);
	remember(conn_cookie(fd), &f);
	set_hint(fd, true);
	set_flags(fd, flags);
	return fd;
}

int shim_file_open(unsigned int major, unsigned int minor, int flags)
{
	struct wire_hello hello = {
		.kind = WIRE_FILE,
		.flags = (uint32_t)flags,
		.major = major,
		.minor = minor,
	};
	struct session *s;
	int r = session_get(&s);

	return r ? r : connect_file(s, &hello, flags);
}

/* The driver's reasons, as far as the call can have them. */
static int take_errno(struct session *s, int r)
{
	if (r >= 0 || r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return r;
	return session_is_dead(s) ? -EIO : -ENFILE;
}

int shim_file_take_stream(struct session *s, unsigned int slot, uint64_t number)
{
	struct wire_hello hello = {
		.kind = WIRE_STREAM,
		.session = s->id,
		.token = s->token,
		.minor = slot,
		.file = number,
	};
	struct wire_welcome w;
	int fd, sock = conn_open(&hello, &w, &fd, 1);

	if (sock < 0)
		return take_errno(s, sock);
	sys_close(sock);
	set_hint(fd, false);
	SYS3(fcntl, fd, F_SETFD, 0);
	return fd;
}

int shim_file_take(struct session *s, unsigned int slot, uint64_t number, int flags)
{
	struct wire_hello hello = { .kind = WIRE_FILE, .minor = slot, .file = number };
	int r = connect_file(s, &hello, flags & O_CLOEXEC);

	return take_errno(s, r);
}
