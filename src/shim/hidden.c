/* SPDX-License-Identifier: MIT */
#include "shim/hidden.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "shim/conn.h"
#include "shim/shim.h"

/* No descriptor can be so high that an int overflows with one added. */
#define HIGHEST (1 << 20)

struct hidden {
	_Atomic int fd_plus_1; /* 0: free */
	_Atomic uint64_t cookie;
};

static struct hidden hidden[HIDDEN_MAX];
/* One past the highest used entry ever: zero for as long as nothing is hidden. */
static _Atomic unsigned int n_hidden;

/* What tells a file from another one that took its number. 0: there is none open. */
static uint64_t identity(int fd)
{
	uint64_t cookie = conn_cookie(fd);
	struct stat st;

	if (cookie || SYS2(fstat, fd, &st) < 0)
		return cookie;
	return ~((uint64_t)st.st_dev << 40 ^ (uint64_t)st.st_ino);
}

/* The highest free number, found from the top down in steps that double. */
static int move_up(int fd)
{
	struct rlimit limit;
	int at, step = 1;

	if (SYS4(prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		return fd;
	at = limit.rlim_cur > HIGHEST ? HIGHEST : (int)limit.rlim_cur;
	for (at -= 1; at > fd; at -= step, step *= 2) {
		long up = SYS3(fcntl, fd, F_DUPFD_CLOEXEC, at);

		if (up >= 0) {
			sys_close(fd);
			return (int)up;
		}
	}
	return fd;
}

int hidden_add(int fd)
{
	for (unsigned int i = 0; i < HIDDEN_MAX; i++) {
		int free = 0;

		/* Claimed with a number that nobody has, until the true one is known. */
		if (!atomic_compare_exchange_strong(&hidden[i].fd_plus_1, &free, -1))
			continue;
		fd = move_up(fd);
		atomic_store(&hidden[i].cookie, identity(fd));
		atomic_store(&hidden[i].fd_plus_1, fd + 1);
		if (atomic_load(&n_hidden) <= i)
			atomic_store(&n_hidden, i + 1);
		return fd;
	}
	return -EMFILE;
}

static struct hidden *find(int fd)
{
	unsigned int n = atomic_load_explicit(&n_hidden, memory_order_acquire);

	for (unsigned int i = 0; i < n; i++)
		if (fd >= 0 && atomic_load(&hidden[i].fd_plus_1) == fd + 1)
			return &hidden[i];
	return NULL;
}

void hidden_close(int fd)
{
	struct hidden *h = find(fd);

	if (!h)
		return;
	if (hidden_is(fd))
		sys_close(fd);
	atomic_store(&h->fd_plus_1, 0);
}

bool hidden_is(int fd)
{
	struct hidden *h = find(fd);

	return h && atomic_load(&h->cookie) && identity(fd) == atomic_load(&h->cookie);
}

int hidden_next(unsigned int first, unsigned int last)
{
	unsigned int n = atomic_load_explicit(&n_hidden, memory_order_acquire);
	int lowest = -1;

	for (unsigned int i = 0; i < n; i++) {
		int fd = atomic_load(&hidden[i].fd_plus_1) - 1;

		if (fd < 0 || (unsigned int)fd < first || (unsigned int)fd > last)
			continue;
		if ((lowest < 0 || fd < lowest) && hidden_is(fd))
			lowest = fd;
	}
	return lowest;
}

void hidden_close_all(void)
{
	for (unsigned int i = 0; i < HIDDEN_MAX; i++)
		if (atomic_load(&hidden[i].fd_plus_1) > 0)
			hidden_close(atomic_load(&hidden[i].fd_plus_1) - 1);
}
