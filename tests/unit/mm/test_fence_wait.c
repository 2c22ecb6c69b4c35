/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

#include "mm/fence_wait.h"

#define N 12 /* more than need no memory */

static struct mm_fence *fences[N];

/* One task, and a clock that only its waits move: no deadline passes before it is waited for. */
static int setup(void **state)
{
	fence_setup(state);
	vkf_sched_set(NULL);
	return 0;
}

static uint64_t soon(void)
{
	return vkf_now_ns() + VKF_NSEC_PER_MSEC;
}

static void expect_first(size_t expected)
{
	size_t first = 99;

	assert_int_equal(mm_fence_wait_any(fences, N, VKF_FOREVER, false, &first), 0);
	assert_int_equal(first, expected);
}

/* Nobody is called any more: a last put does not signal it as abandoned. */
static void expect_nothing_left(void)
{
	for (unsigned int i = 0; i < N; i++)
		assert_true(vkf_list_empty(&fences[i]->callbacks));
}

static void any_gives_the_least_index_that_is_signalled(void **state)
{
	new_fences(fences, N);
	mm_fence_signal(fences[9], -EIO);
	expect_first(9);
	mm_fence_signal(fences[4], 0);
	expect_first(4);
	to_test(fences[2])->is_done = true;
	expect_first(2);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(to_test(fences[i])->n_enabled, 0);
	put_fences(fences, N);
}

static void any_of_none_is_refused(void **state)
{
	size_t first = 99;

	assert_int_equal(mm_fence_wait_any(NULL, 0, VKF_FOREVER, false, &first), -EINVAL);
	assert_int_equal(first, 99);
}

static void any_with_a_past_deadline_tests_and_starts_nothing(void **state)
{
	size_t first = 99;

	new_fences(fences, N);
	assert_int_equal(mm_fence_wait_any(fences, N, 0, true, &first), -ETIMEDOUT);
	assert_int_equal(first, 99);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(to_test(fences[i])->n_enabled, 0);
	put_fences(fences, N);
}

static void any_ends_at_its_deadline_and_leaves_nothing(void **state)
{
	uint64_t deadline = soon();
	size_t first = 99;

	new_fences(fences, N);
	assert_int_equal(mm_fence_wait_any(fences, N, deadline, true, &first), -ETIMEDOUT);
	assert_true(vkf_now_ns() >= deadline);
	assert_int_equal(first, 99);
	expect_nothing_left();
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(to_test(fences[i])->n_enabled, 1);
	put_fences(fences, N);
}

static void any_can_be_interrupted_and_leaves_nothing(void **state)
{
	size_t first = 99;

	new_fences(fences, N);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_fence_wait_any(fences, N, VKF_FOREVER, true, &first), -VKF_ERESTARTSYS);
	assert_int_equal(mm_fence_wait_any(fences, N, soon(), false, &first), -ETIMEDOUT);
	vkf_task_clear_interrupt();
	assert_int_equal(first, 99);
	expect_nothing_left();
	put_fences(fences, N);
}

static void any_needs_memory_for_many_that_are_pending_only(void **state)
{
	size_t first = 99;

	new_fences(fences, N);
	fail_alloc(1);
	assert_int_equal(mm_fence_wait_any(fences, N, soon(), false, &first), -ENOMEM);
	assert_int_equal(first, 99);
	fail_alloc(1);
	assert_int_equal(mm_fence_wait_any(fences, 8, soon(), false, &first), -ETIMEDOUT);
	mm_fence_signal(fences[N - 1], 0);
	expect_first(N - 1);
	put_fences(fences, N);
}

static void any_sees_one_that_enabling_finds_done(void **state)
{
	new_fences(fences, N);
	to_test(fences[3])->enable_is_done = true;
	expect_first(3);
	assert_int_equal(to_test(fences[2])->n_enabled, 1);
	assert_int_equal(to_test(fences[4])->n_enabled, 0);
	expect_nothing_left();
	put_fences(fences, N);
}

static void any_takes_the_same_fence_twice(void **state)
{
	struct mm_fence *twice[2];
	size_t first = 99;

	twice[0] = twice[1] = new_fence(1, 1);
	assert_int_equal(mm_fence_wait_any(twice, 2, soon(), false, &first), -ETIMEDOUT);
	mm_fence_signal(twice[0], 0);
	assert_int_equal(mm_fence_wait_any(twice, 2, VKF_FOREVER, false, &first), 0);
	assert_int_equal(first, 0);
	mm_fence_put(twice[0]);
}

static void all_waits_for_each_and_starts_all_first(void **state)
{
	new_fences(fences, N);
	assert_int_equal(mm_fence_wait_all(fences, N, soon(), false), -ETIMEDOUT);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(to_test(fences[i])->n_enabled, 1);
	for (unsigned int i = 0; i < N - 1; i++)
		mm_fence_signal(fences[i], 0);
	assert_int_equal(mm_fence_wait_all(fences, N, soon(), false), -ETIMEDOUT);
	mm_fence_signal(fences[N - 1], -EIO);
	assert_int_equal(mm_fence_wait_all(fences, N, 0, true), 0);
	put_fences(fences, N);
}

static void all_of_none_is_done(void **state)
{
	assert_int_equal(mm_fence_wait_all(NULL, 0, VKF_FOREVER, true), 0);
}

static void all_can_be_interrupted(void **state)
{
	new_fences(fences, N);
	mm_fence_signal(fences[0], 0);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_fence_wait_all(fences, N, VKF_FOREVER, true), -VKF_ERESTARTSYS);
	vkf_task_clear_interrupt();
	put_fences(fences, N);
}

static void signal_backwards(void *arg)
{
	for (unsigned int i = N; i-- > 0;)
		mm_fence_signal(fences[i], 0);
}

/* The waiter's stack is gone when it returns: no signaller may still be about to call into it. */
static void wait_for_any(void *arg)
{
	size_t first = N;

	assert_int_equal(mm_fence_wait_any(fences, N, VKF_FOREVER, false, &first), 0);
	assert_in_range(first, 0, N - 1);
	assert_true(mm_fence_is_signalled(fences[first]));
}

static void wait_for_all(void *arg)
{
	assert_int_equal(mm_fence_wait_all(fences, N, VKF_FOREVER, false), 0);
	for (unsigned int i = 0; i < N; i++)
		assert_true(mm_fence_is_signalled(fences[i]));
}

static void waits_and_signals_may_race(void **state)
{
	host_sched_install();
	vkf_env_set(NULL); /* which counts for one thread only */
	for (unsigned int round = 0; round < 200; round++) {
		struct vkf_task *task[4];

		new_fences(fences, N);
		assert_int_equal(vkf_spawn("any", wait_for_any, NULL, &task[0]), 0);
		assert_int_equal(vkf_spawn("any", wait_for_any, NULL, &task[1]), 0);
		assert_int_equal(vkf_spawn("all", wait_for_all, NULL, &task[2]), 0);
		assert_int_equal(vkf_spawn("signaller", signal_backwards, NULL, &task[3]), 0);
		for (unsigned int i = 0; i < 4; i++)
			vkf_join(task[i]);
		put_fences(fences, N);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fence_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_gives_the_least_index_that_is_signalled),
		TEST(any_of_none_is_refused),
		TEST(any_with_a_past_deadline_tests_and_starts_nothing),
		TEST(any_ends_at_its_deadline_and_leaves_nothing),
		TEST(any_can_be_interrupted_and_leaves_nothing),
		TEST(any_needs_memory_for_many_that_are_pending_only),
		TEST(any_sees_one_that_enabling_finds_done),
		TEST(any_takes_the_same_fence_twice),
		TEST(all_waits_for_each_and_starts_all_first),
		TEST(all_of_none_is_done),
		TEST(all_can_be_interrupted),
		TEST(waits_and_signals_may_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
