/* SPDX-License-Identifier: MIT */
#include "host/env_host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/support.h"

static char err[200];

static int install(void **state)
{
	host_env_install();
	host_fault_clear();
	host_fault_known(NULL);
	return 0;
}

static void set(const char *spec)
{
	assert_int_equal(host_fault_set(spec, err, sizeof(err)), 0);
}

static void assert_refused(const char *spec, const char *words)
{
	memset(err, 0, sizeof(err));
	assert_int_equal(host_fault_set(spec, err, sizeof(err)), -EINVAL);
	if (!strstr(err, words))
		fail_msg("'%s' is refused with '%s', which lacks '%s'", spec, err, words);
}

static void a_bare_point_fails_always_with_enomem(void **state)
{
	set("mm.map");
	assert_int_equal(vkf_fault("mm.map", 0), -ENOMEM);
	assert_int_equal(vkf_fault("mm.map", 7), -ENOMEM);
	assert_int_equal(vkf_fault("mm.unmap", 0), 0);
	host_fault_clear();
	assert_int_equal(vkf_fault("mm.map", 0), 0);
}

static void arg_picks_one_object(void **state)
{
	set("mm.map:arg=1");
	assert_int_equal(vkf_fault("mm.map", 0), 0);
	assert_int_equal(vkf_fault("mm.map", 1), -ENOMEM);
}

static void errno_is_any_name(void **state)
{
	set("mm.a:errno=EIO");
	set("mm.b:errno=ERESTARTSYS");
	set("mm.c:errno=EOWNERDEAD");
	assert_int_equal(vkf_fault("mm.a", 0), -EIO);
	assert_int_equal(vkf_fault("mm.b", 0), -VKF_ERESTARTSYS);
	assert_int_equal(vkf_fault("mm.c", 0), -EOWNERDEAD);
}

static void after_and_count_bound_the_failures(void **state)
{
	set("mm.map:arg=1,errno=EBUSY,after=2,count=3");
	/* Calls for other objects do not count. */
	assert_int_equal(vkf_fault("mm.map", 0), 0);
	assert_int_equal(vkf_fault("mm.map", 1), 0);
	assert_int_equal(vkf_fault("mm.map", 1), 0);
	assert_int_equal(vkf_fault("mm.map", 1), -EBUSY);
	assert_int_equal(vkf_fault("mm.map", 1), -EBUSY);
	assert_int_equal(vkf_fault("mm.map", 1), -EBUSY);
	assert_int_equal(vkf_fault("mm.map", 1), 0);
}

static void the_first_due_fault_of_a_point_decides(void **state)
{
	set("mm.map:errno=EIO,after=1,count=1");
	set("mm.map:errno=ENOSPC,count=3");
	assert_int_equal(vkf_fault("mm.map", 0), -ENOSPC);
	assert_int_equal(vkf_fault("mm.map", 0), -EIO);
	assert_int_equal(vkf_fault("mm.map", 0), -ENOSPC);
	assert_int_equal(vkf_fault("mm.map", 0), 0);
}

static void what_is_not_understood_is_refused_with_what_is_expected(void **state)
{
	assert_refused("map", "LAYER.STEP");
	assert_refused("", "LAYER.STEP");
	assert_refused("mm.", "LAYER.STEP");
	assert_refused(".map", "LAYER.STEP");
	assert_refused("mm.Map", "LAYER.STEP");
	assert_refused("mm.map.x", "LAYER.STEP");
	assert_refused("mm.map:", "KEY=VALUE");
	assert_refused("mm.map:arg", "KEY=VALUE");
	assert_refused("mm.map:arg=1,", "KEY=VALUE");
	assert_refused("mm.map:gpu=1", "arg, errno, after or count");
	assert_refused("mm.map:arg=", "number");
	assert_refused("mm.map:arg=one", "number");
	assert_refused("mm.map:arg=-1", "number");
	assert_refused("mm.map:arg= 1", "number");
	assert_refused("mm.map:arg=1x", "number");
	assert_refused("mm.map:count=18446744073709551616", "number");
	assert_refused("mm.map:errno=12", "ENOMEM");
	assert_refused("mm.map:errno=enomem", "ENOMEM");
	assert_int_equal(vkf_fault("mm.map", 1), 0);
}

static void with_known_points_others_are_refused_with_the_nearest(void **state)
{
	static const char *const points[] = { "kfd.queue_create", "mm.map", "mm.unmap", NULL };

	host_fault_known(points);
	set("mm.unmap");
	assert_refused("mm.umap", "nearest is mm.");
	assert_refused("kfd.queue_craete", "nearest is kfd.queue_create");
}

static void too_long_is_refused(void **state)
{
	char spec[600];

	memset(spec, 'a', sizeof(spec));
	spec[2] = '.';
	spec[sizeof(spec) - 1] = '\0';
	assert_refused(spec, "at most");
	spec[60] = ':';
	spec[100] = '\0';
	assert_refused(spec, "at most");
}

static void a_full_table_is_enospc(void **state)
{
	int i;

	for (i = 0; i < 64; i++)
		set("mm.map");
	assert_int_equal(host_fault_set("mm.map", err, sizeof(err)), -ENOSPC);
}

static void a_short_error_buffer_is_not_overrun(void **state)
{
	char small[5] = "xxxx";

	assert_int_equal(host_fault_set("map", small, 4), -EINVAL);
	assert_int_equal(strlen(small), 3);
	assert_int_equal(small[4], 0);
	assert_int_equal(host_fault_set("map", NULL, 0), -EINVAL);
}

static void random_bytes_never_crash_it(void **state)
{
	static const char words[] = "mm.map:arg=1,errno=ENOMEM,after=0,count=1";
	char spec[sizeof(words)];
	int i, k;

	for (i = 0; i < 50000; i++) {
		memcpy(spec, words, sizeof(spec));
		for (k = rnd(4); k >= 0; k--)
			spec[rnd(sizeof(spec) - 1)] = rnd(256);
		if (host_fault_set(spec, err, sizeof(err)) == 0)
			host_fault_clear();
	}
}

/* In a child: its stderr, and how it ended. */
static void a_panic_prints_one_line_and_aborts(void **state)
{
	char said[200] = "";
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], 2);
		vkf_panic("some.c", 12, "cows fly");
	}
	close(fds[1]);
	assert_true(read(fds[0], said, sizeof(said) - 1) > 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_string_equal(said, "vkfd: broken invariant at some.c:12: cows fly\n");
}

#define TEST(name) cmocka_unit_test_setup(name, install)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bare_point_fails_always_with_enomem),
		TEST(arg_picks_one_object),
		TEST(errno_is_any_name),
		TEST(after_and_count_bound_the_failures),
		TEST(the_first_due_fault_of_a_point_decides),
		TEST(what_is_not_understood_is_refused_with_what_is_expected),
		TEST(with_known_points_others_are_refused_with_the_nearest),
		TEST(too_long_is_refused),
		TEST(a_full_table_is_enospc),
		TEST(a_short_error_buffer_is_not_overrun),
		TEST(random_bytes_never_crash_it),
		TEST(a_panic_prints_one_line_and_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
