/* SPDX-License-Identifier: MIT */
#include "host/futex.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/support.h"
#include "host/sched_host.h"

static int install(void **state)
{
	host_sched_install();
	return 0;
}

static void a_word_that_differs_is_not_waited_for(void **state)
{
	atomic_uint word = 3;

	assert_int_equal(host_futex_wait(&word, 4, VKF_FOREVER), -EAGAIN);
	assert_int_equal(host_futex_wait_private(&word, 4, VKF_FOREVER), -EAGAIN);
}

static void a_wait_times_out_not_before_its_deadline(void **state)
{
	atomic_uint word = 3;
	uint64_t deadline = vkf_now_ns() + 2 * VKF_NSEC_PER_MSEC;

	assert_int_equal(host_futex_wait(&word, 3, deadline), -ETIMEDOUT);
	assert_true(vkf_now_ns() >= deadline);
	assert_int_equal(host_futex_wait_private(&word, 3, 1), -ETIMEDOUT);
}

static void waking_nobody_wakes_none(void **state)
{
	atomic_uint word = 3;

	assert_int_equal(host_futex_wake(&word, 1), 0);
	assert_int_equal(host_futex_wake_private(&word, UINT_MAX), 0);
}

static void a_page_that_is_gone_is_an_error(void **state)
{
	atomic_uint *word = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true((void *)word != MAP_FAILED);
	assert_int_equal(host_futex_wait(word, 0, VKF_FOREVER), -EFAULT);
	munmap(word, 4096);
}

/* Each side writes the word and wakes the other, in two processes. */
static void two_processes_wake_each_other(void **state)
{
	atomic_uint *word =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i, side;
	int status;
	pid_t pid;

	assert_true((void *)word != MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	side = pid == 0;
	for (i = side; i < 2000; i += 2) {
		while (atomic_load(word) != i)
			(void)host_futex_wait(word, i - 1, VKF_FOREVER);
		atomic_store(word, i + 1);
		(void)host_futex_wake(word, 1);
	}
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(atomic_load(word), 2000);
	munmap(word, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_that_differs_is_not_waited_for),
		cmocka_unit_test(a_wait_times_out_not_before_its_deadline),
		cmocka_unit_test(waking_nobody_wakes_none),
		cmocka_unit_test(a_page_that_is_gone_is_an_error),
		cmocka_unit_test(two_processes_wake_each_other),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
