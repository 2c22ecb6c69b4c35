/* SPDX-License-Identifier: MIT */
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../base/support.h"

#define MANY (1u << 20) /* more than a pipe holds */

static char sent[MANY], got[MANY];

static void *drain(void *arg)
{
	int fd = *(int *)arg;
	size_t at = 0;
	ssize_t n;

	while (at < MANY && (n = read(fd, got + at, MANY - at)) > 0)
		at += (size_t)n;
	return NULL;
}

static void what_a_pipe_takes_in_pieces_arrives_whole(void **state)
{
	pthread_t reader;
	int fds[2];

	for (size_t i = 0; i < MANY; i++)
		sent[i] = (char)(i * 7 + i / 251);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&reader, NULL, drain, &fds[0]), 0);
	assert_int_equal(host_write_all(fds[1], sent, MANY), 0);
	pthread_join(reader, NULL);
	assert_memory_equal(sent, got, MANY);
	close(fds[0]);
	close(fds[1]);
}

static void its_errno_is_given(void **state)
{
	int fd = open("/dev/full", O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(host_write_all(fd, "x", 1), -ENOSPC);
	assert_int_equal(host_write_all(fd, "x", 0), 0);
	close(fd);
	assert_int_equal(host_write_all(-1, "x", 1), -EBADF);
}

/* The first write() takes what fits and says nothing of the rest. */
static void what_is_taken_in_part_is_no_success(void **state)
{
	struct rlimit before, limit;
	int fd = memfd_create("write", MFD_CLOEXEC);

	assert_true(fd >= 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(host_write_all(fd, sent, 1500), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 1000);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_pipe_takes_in_pieces_arrives_whole),
		cmocka_unit_test(its_errno_is_given),
		cmocka_unit_test(what_is_taken_in_part_is_no_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
