/* SPDX-License-Identifier: MIT */
#include "shim/session.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "shim/conn.h"
#include "shim/hidden.h"

#define COMM_BYTES  16
#define PR_GET_NAME 16

struct session *session_peek(void)
{
	struct shim_state *st = state_peek();

	return st ? atomic_load_explicit(&st->session, memory_order_acquire) : NULL;
}

bool session_is_mine(const struct session *s)
{
	return session_peek() == s;
}

bool session_is_dead(struct session *s)
{
	if (atomic_load_explicit(&s->dead, memory_order_relaxed))
		return true;
	/* Another file under that number: somebody closed ours behind our back. */
	if (conn_cookie(s->fd) == s->cookie && !conn_is_dead(s->fd))
		return false;
	atomic_store(&s->dead, true);
	return true;
}

int session_say(struct session *s, enum wire_op op, uint32_t slot, uint32_t seq)
{
	struct wire_msg msg = { .op = op, .slot = slot, .seq = seq };

	if (conn_cookie(s->fd) != s->cookie || conn_send(s->fd, &msg)) {
		atomic_store(&s->dead, true);
		return -EIO;
	}
	return 0;
}

static int map_region(struct session *s, unsigned int i, int fd)
{
	int prot = i == WIRE_REGION_PT ? PROT_READ : PROT_READ | PROT_WRITE;
	long p = SYS6(mmap, NULL, s->bytes[i], prot, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (sys_is_error(p))
		return (int)p;
	s->base[i] = (uint8_t *)p;
	SYS3(madvise, p, s->bytes[i], MADV_DONTFORK);
	SYS3(madvise, p, s->bytes[i], MADV_DONTDUMP);
	return 0;
}

static bool sizes_fit(const struct wire_welcome *w)
{
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++)
		if (!w->region_bytes[i])
			return false;
	return w->region_bytes[WIRE_REGION_SLOTS] >= sizeof(struct wire_slots);
}

static void unmap_all(struct session *s)
{
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++)
		if (s->base[i])
			SYS2(munmap, s->base[i], s->bytes[i]);
}

static int remember_arena(struct session *s, int fd)
{
	struct stat st;
	long r = SYS2(fstat, fd, &st);

	if (sys_is_error(r))
		return (int)r;
	s->arena = (struct umem_device){ major(st.st_dev), minor(st.st_dev), st.st_ino };
	return 0;
}

/* Map what the driver gave; the descriptors are closed, whatever comes. */
static int map_regions(struct session *s, const struct wire_welcome *w, const int *fds)
{
	int r = sizes_fit(w) ? 0 : -EIO;

	memcpy(s->bytes, w->region_bytes, sizeof(s->bytes));
	if (!r)
		r = remember_arena(s, fds[WIRE_REGION_ARENA]);
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++) {
		if (!r)
			r = map_region(s, i, fds[i]);
		sys_close(fds[i]);
	}
	if (r)
		unmap_all(s);
	return r;
}

/* Shared memory, as doorbells are: the kernel protects it by the same means. */
static int map_poke(struct session *s)
{
	long p = SYS6(mmap, NULL, sizeof(*s->poke), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (sys_is_error(p))
		return (int)p;
	SYS3(madvise, p, sizeof(*s->poke), MADV_DONTFORK);
	s->poke = (struct engine_poke *)p;
	return 0;
}

static int connect_session(struct session *s)
{
	struct wire_hello hello = { .kind = WIRE_SESSION };
	struct wire_welcome w;
	int fds[WIRE_N_REGIONS];
	int fd, r;

	SYS2(prctl, PR_GET_NAME, hello.name);
	hello.name[COMM_BYTES - 1] = '\0';
	fd = conn_open(&hello, &w, fds, WIRE_N_REGIONS);
	if (fd < 0)
		return fd;
	r = map_regions(s, &w, fds);
	if (!r) {
		r = hidden_add(fd);
		if (r < 0)
			unmap_all(s);
	}
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	s->fd = r;
	s->cookie = conn_cookie(s->fd);
	s->id = w.session;
	s->token = w.token;
	return 0;
}

/* The connection that a forked child inherits would keep the parent's session alive. */
static void after_fork_child(void)
{
	hidden_close_all();
}

static int create(struct session **ret_session)
{
	static atomic_bool registered;
	struct session *s;
	long p = SYS6(mmap, NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	int r;

	if (sys_is_error(p))
		return (int)p;
	if (!atomic_exchange(&registered, true))
		pthread_atfork(NULL, NULL, after_fork_child);
	s = (struct session *)p;
	r = map_poke(s);
	if (!r)
		r = connect_session(s);
	if (r) {
		if (s->poke)
			SYS2(munmap, s->poke, sizeof(*s->poke));
		SYS2(munmap, p, sizeof(*s));
		return r;
	}
	*ret_session = s;
	return 0;
}

int session_get(struct session **ret_session)
{
	struct shim_state *st = state_get();
	struct session *s;
	uint64_t signals;
	int r = 0;

	if (!st)
		return -ENOMEM;
	s = atomic_load_explicit(&st->session, memory_order_acquire);
	if (s && !session_is_dead(s)) {
		*ret_session = s;
		return 0;
	}
	shim_lock(&st->session_lock, &signals);
	s = atomic_load_explicit(&st->session, memory_order_acquire);
	if (!s || session_is_dead(s)) {
		/* A dead session's, or a parent's after a fork that ran no handlers. */
		hidden_close_all();
		r = create(&s);
		if (!r)
			atomic_store_explicit(&st->session, s, memory_order_release);
	}
	shim_unlock(&st->session_lock, &signals);
	if (!r)
		*ret_session = s;
	return r;
}
