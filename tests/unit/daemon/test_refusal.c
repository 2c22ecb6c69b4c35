/* SPDX-License-Identifier: MIT */
/*
 * What the system refuses the daemon costs whoever asked, and nobody else. The functions below
 * stand in for the system's; each fails once, at the n-th call, in the daemon.
 */
#include "daemon_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define REFUSE "VKFD_TEST_REFUSE" /* "FUNCTION:N" */

static void mark_path(char *path, size_t len)
{
	snprintf(path, len, "%s/refused", getenv("XDG_RUNTIME_DIR"));
}

/* Whether this call of @name is the one; then it leaves a mark. */
static bool refused(const char *name, atomic_uint *n_calls)
{
	const char *what = getenv(REFUSE);
	size_t len = strlen(name);
	char path[128];

	if (!what || strncmp(what, name, len) || what[len] != ':' ||
	    atomic_fetch_add(n_calls, 1) + 1 != (unsigned int)atoi(what + len + 1))
		return false;
	mark_path(path, sizeof(path));
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return true;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
/* What mmap() is called where files are large, as here. */
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	static atomic_uint n;

	return refused("thread", &n) ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	static atomic_uint n;

	if (!refused("memfd", &n))
		return __real_memfd_create(name, flags);
	errno = ENFILE;
	return -1;
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	static atomic_uint n;

	if (!refused("mmap", &n))
		return __real_mmap64(addr, len, prot, flags, fd, off);
	errno = ENOMEM;
	return MAP_FAILED;
}

/* Only once it serves: what the machine needs at first is others' business. */
static atomic_bool serving;

void *__wrap_calloc(size_t n, size_t size)
{
	static atomic_uint n_calls;

	if (atomic_load(&serving) && refused("calloc", &n_calls)) {
		errno = ENOMEM;
		return NULL;
	}
	return __real_calloc(n, size);
}

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

/* The one byte by which the daemon says that it serves. */
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fd == 3 && len == 1)
		atomic_store(&serving, true);
	return __real_write(fd, buf, len);
}

/* ------------------------------------------------ a program's life, of which anything may fail */

static int n_failed;

static int try_session(struct dx_daemon *d, struct dx_session *s)
{
	struct wire_hello h = dx_hello(WIRE_SESSION);
	int r;

	memset(s, 0, sizeof(*s));
	s->d = d;
	s->fd = dx_connect(d);
	if (send(s->fd, &h, sizeof(h), MSG_NOSIGNAL) < 0)
		r = -ECONNRESET;
	else
		r = dx_recv(s->fd, &s->w, s->fds, WIRE_N_REGIONS);
	if (r) {
		assert_true(dx_closed(s->fd));
		close(s->fd);
		return r;
	}
	s->slots = mmap(NULL, s->w.region_bytes[WIRE_REGION_SLOTS], PROT_READ | PROT_WRITE,
			MAP_SHARED, s->fds[WIRE_REGION_SLOTS], 0);
	s->ctrl = mmap(NULL, s->w.region_bytes[WIRE_REGION_CTRL], PROT_READ | PROT_WRITE,
		       MAP_SHARED, s->fds[WIRE_REGION_CTRL], 0);
	return 0;
}

static void expect_errno(int r)
{
	if (r != -EAGAIN && r != -ENOMEM && r != -ENFILE && r != -EIO && r != -ECONNRESET)
		fail_msg("refused with %s", strerror(-r));
	n_failed++;
}

/* As the shim does it: nobody answers any more once the connection has ended. */
static int nop(struct dx_session *s, unsigned int slot)
{
	int r;

	dx_head(s, slot)->call = WIRE_CALL_NOP;
	dx_submit(s, slot);
	do
		r = dx_answer(s, slot, 50);
	while (r == -ETIMEDOUT && recv(s->fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
	return r == -ETIMEDOUT ? -EIO : r;
}

static void live(struct dx_daemon *d)
{
	struct dx_session s;
	uint64_t file;
	char *text;
	int r, fd;

	text = dx_query(d, "runtime", &r);
	free(text);
	if (r)
		expect_errno(r);
	text = dx_query(d, "status", &r);
	free(text);
	if (r)
		expect_errno(r);
	r = try_session(d, &s);
	if (r) {
		expect_errno(r);
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct wire_msg m = { .op = WIRE_SLOT_OPEN, .slot = i };

		/* Refused, it costs the session. */
		send(s.fd, &m, sizeof(m), MSG_NOSIGNAL);
		r = nop(&s, i);
		if (r)
			expect_errno(r);
	}
	fd = dx_open_kfd(&s, &file);
	if (fd < 0 && fd != -EACCES)
		expect_errno(fd);
	if (fd >= 0)
		close(fd);
	dx_session_close(&s);
}

/* Refuse the first call, the second, and so on, until a life needs no more of them. */
static void try_all(const char *what, unsigned int at_least)
{
	char text[32], mark[128];
	unsigned int n, fds;
	bool hit = true;

	mark_path(mark, sizeof(mark));
	for (n = 1; hit; n++) {
		struct dx_daemon d;

		snprintf(text, sizeof(text), "%s:%u", what, n);
		setenv(REFUSE, text, 1);
		dx_start(&d, NULL);
		unsetenv(REFUSE);
		fds = dx_n_fds(&d);
		n_failed = 0;
		live(&d);
		assert_in_range(n_failed, 0, 3);
		dx_wait_small(&d, fds);
		hit = unlink(mark) == 0;
		/* It was refused once: now all goes well. */
		for (int again = 0; hit && again < 2; again++) {
			n_failed = 0;
			live(&d);
			assert_int_equal(n_failed, 0);
			dx_wait_clients(&d, 0);
			dx_wait_small(&d, fds);
		}
		dx_stop(&d);
		unlink(mark);
	}
	assert_true(n > at_least);
}

static void threads_that_are_refused(void **state)
{
	try_all("thread", 5);
}

static void files_in_memory_that_are_refused(void **state)
{
	try_all("memfd", 7);
}

static void mappings_that_are_refused(void **state)
{
	try_all("mmap", 3);
}

static void allocations_that_are_refused(void **state)
{
	try_all("calloc", 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_that_are_refused),
		cmocka_unit_test(files_in_memory_that_are_refused),
		cmocka_unit_test(mappings_that_are_refused),
		cmocka_unit_test(allocations_that_are_refused),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
