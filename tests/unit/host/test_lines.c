/* SPDX-License-Identifier: MIT */
#include "host/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static struct host_lines l;
static int fd;

static int setup(void **state)
{
	return host_lines_create(&l, &fd);
}

static int teardown(void **state)
{
	if (fd >= 0)
		close(fd);
	host_lines_destroy(&l);
	return 0;
}

static short polled(void)
{
	struct pollfd p = { fd, POLLIN, 0 };

	assert_true(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static bool put(const char *line)
{
	return host_lines_put(&l, line, strlen(line), 1024);
}

static void reading_never_waits_and_polling_tells(void **state)
{
	char buf[64];

	assert_int_equal(read(fd, buf, sizeof(buf)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(polled(), 0);
	assert_true(put("one\n"));
	assert_int_equal(polled(), POLLIN);
	assert_true(put("two\n"));
	/* As much as there is, whatever lines it was. */
	assert_int_equal(read(fd, buf, 6), 6);
	assert_memory_equal(buf, "one\ntw", 6);
	assert_int_equal(read(fd, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "o\n", 2);
	assert_int_equal(read(fd, buf, sizeof(buf)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(polled(), 0);
}

static void it_survives_exec(void **state)
{
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fcntl(l.fd, F_GETFD), FD_CLOEXEC);
}

static void the_last_word_counts(void **state)
{
	uint64_t word = 7, a = 11, b = 12;

	assert_int_equal(host_lines_word(&l, &word), 0);
	assert_int_equal(word, 7);
	assert_int_equal(write(fd, &a, sizeof(a)), 8);
	assert_int_equal(host_lines_word(&l, &word), 0);
	assert_int_equal(word, 11);
	assert_int_equal(write(fd, &a, sizeof(a)), 8);
	assert_int_equal(write(fd, &b, sizeof(b)), 8);
	assert_int_equal(host_lines_word(&l, &word), 0);
	assert_int_equal(word, 12);
	assert_int_equal(host_lines_word(&l, &word), 0);
	assert_int_equal(word, 12);
}

static void the_end_of_the_program_is_seen(void **state)
{
	uint64_t word = 7, a = 3;
	int copy = dup(fd);

	close(fd);
	assert_int_equal(host_lines_word(&l, &word), 0);
	assert_int_equal(write(copy, &a, sizeof(a)), 8);
	close(copy);
	fd = -1;
	assert_int_equal(host_lines_word(&l, &word), -EPIPE);
	/* No signal, either. */
	assert_false(put("nobody\n"));
}

/* 32 lines of 32 bytes are 1024: the next one is lost, and so is any until one was read. */
static void what_does_not_fit_is_lost_as_a_whole(void **state)
{
	char line[33], buf[32];

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 32; i++) {
			snprintf(line, sizeof(line), "%30u\n\n", i);
			assert_true(put(line));
		}
		assert_false(put("x\n"));
		assert_false(put(line));
		assert_int_equal(read(fd, buf, sizeof(buf)), 32);
		assert_true(put("instead of the first, 32 bytes\n\n"));
		assert_false(put("x\n"));
		for (unsigned int i = 1; i < 33; i++) {
			snprintf(line, sizeof(line), "%30u\n\n", i);
			assert_int_equal(read(fd, buf, sizeof(buf)), 32);
			assert_memory_equal(
				buf, i < 32 ? line : "instead of the first, 32 bytes\n\n", 32);
		}
		assert_int_equal(read(fd, buf, sizeof(buf)), -1);
	}
	assert_true(host_lines_put(&l, "12345", 5, 5));
	assert_false(host_lines_put(&l, "6", 1, 5));
}

static void without_descriptors_there_is_none(void **state)
{
	struct rlimit old, few = { 3, 0 };
	struct host_lines other;
	int end = 77;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(host_lines_create(&other, &end), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(end, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading_never_waits_and_polling_tells, setup,
						teardown),
		cmocka_unit_test_setup_teardown(it_survives_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_word_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_the_program_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_lost_as_a_whole, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_descriptors_there_is_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
