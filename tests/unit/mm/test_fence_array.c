/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

#include "mm/fence_array.h"

#define N 3

static struct mm_fence *child[N], *array;

static void array_init(bool any)
{
	new_fences(child, N);
	assert_int_equal(mm_fence_array_create(child, N, 90, 7, any, &array), 0);
}

static void array_fini(void)
{
	mm_fence_put(array);
	put_fences(child, N);
}

static void shows_what_is_in_it(void **state)
{
	array_init(false);
	assert_true(mm_fence_is_array(array));
	assert_true(mm_fence_is_container(array));
	assert_false(mm_fence_is_array(child[0]));
	assert_int_equal(array->context, 90);
	assert_int_equal(array->seqno, 7);
	assert_int_equal(mm_fence_array_len(array), N);
	assert_int_equal(mm_fence_array_len(child[0]), 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_ptr_equal(mm_fence_array_at(array, i), child[i]);
		assert_int_equal(vkf_ref_read(&child[i]->ref), 2);
	}
	array_fini();
}

static void without_memory_it_takes_nothing(void **state)
{
	new_fences(child, N);
	array = (void *)state;
	fail_alloc(1);
	assert_int_equal(mm_fence_array_create(child, N, 90, 1, false, &array), -ENOMEM);
	assert_ptr_equal(array, state);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(vkf_ref_read(&child[i]->ref), 1);
	put_fences(child, N);
}

/* Both for an array that is told and for one that is asked. */
static void all_is_signalled_with_the_last(void **state)
{
	for (unsigned int enabled = 0; enabled < 2; enabled++) {
		array_init(false);
		if (enabled)
			mm_fence_enable(array);
		mm_fence_signal(child[2], 0);
		mm_fence_signal(child[0], 0);
		assert_false(mm_fence_poll(array));
		mm_fence_signal(child[1], 0);
		assert_true(mm_fence_is_signalled(array) == (enabled == 1));
		assert_int_equal(mm_fence_status(array), 1);
		array_fini();
	}
}

static void any_is_signalled_with_the_first(void **state)
{
	for (unsigned int enabled = 0; enabled < 2; enabled++) {
		array_init(true);
		if (enabled)
			mm_fence_enable(array);
		assert_false(mm_fence_poll(array));
		mm_fence_signal(child[1], 0);
		assert_true(mm_fence_is_signalled(array) == (enabled == 1));
		assert_int_equal(mm_fence_status(array), 1);
		mm_fence_signal(child[0], -EIO);
		mm_fence_signal(child[2], 0);
		assert_int_equal(mm_fence_status(array), 1);
		array_fini();
	}
}

static void all_has_the_error_that_came_first(void **state)
{
	array_init(false);
	mm_fence_enable(array);
	mm_fence_signal(child[1], 0);
	mm_fence_signal(child[2], -ETIME);
	mm_fence_signal(child[0], -EIO);
	assert_int_equal(mm_fence_status(array), -ETIME);
	array_fini();
}

static void an_error_from_before_anybody_cared_counts(void **state)
{
	for (unsigned int enabled = 0; enabled < 2; enabled++) {
		array_init(false);
		for (unsigned int i = 0; i < N; i++)
			mm_fence_signal(child[i], i == 1 ? -EIO : 0);
		if (enabled)
			mm_fence_enable(array);
		assert_int_equal(mm_fence_status(array), -EIO);
		array_fini();
	}
}

static void any_has_the_error_of_the_one_that_signalled_it(void **state)
{
	for (unsigned int enabled = 0; enabled < 2; enabled++) {
		array_init(true);
		if (enabled)
			mm_fence_enable(array);
		mm_fence_signal(child[2], -EIO);
		assert_int_equal(mm_fence_status(array), -EIO);
		for (unsigned int i = 0; i < 2; i++)
			mm_fence_signal(child[i], 0);
		array_fini();
	}
}

static void makes_nobody_work_before_somebody_cares(void **state)
{
	struct test_cb c = { .n_calls = 0 };

	array_init(false);
	assert_false(mm_fence_poll(array));
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(to_test(child[i])->n_enabled, 0);
	assert_int_equal(mm_fence_add_callback(array, &c.cb, test_called), 0);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(to_test(child[i])->n_enabled, 1);
	for (unsigned int i = 0; i < N; i++)
		mm_fence_signal(child[i], 0);
	assert_int_equal(c.n_calls, 1);
	array_fini();
}

static void asking_it_asks_its_fences(void **state)
{
	array_init(false);
	for (unsigned int i = 0; i < N; i++)
		to_test(child[i])->is_done = true;
	assert_true(mm_fence_poll(array));
	for (unsigned int i = 0; i < N; i++)
		assert_true(mm_fence_is_signalled(child[i]));
	array_fini();
}

static void stays_until_its_fences_have_called_it(void **state)
{
	array_init(true);
	mm_fence_enable(array);
	mm_fence_put(array);
	mm_fence_signal(child[0], 0);
	mm_fence_signal(child[1], 0);
	assert_int_equal(n_live_allocs, 1);
	mm_fence_signal(child[2], 0);
	assert_int_equal(n_live_allocs, 0);
	put_fences(child, N);
}

static void takes_no_container(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_fence *outer = NULL;

	array_init(false);
	EXPECT_PANIC("is_container", (void)!mm_fence_array_create(&array, 1, 91, 1, false, &outer));
	array_fini();
#else
	skip();
#endif
}

static void signal_child(void *arg)
{
	mm_fence_signal(arg, -EIO);
}

static void its_fences_may_signal_at_the_same_time(void **state)
{
	vkf_env_set(NULL); /* which counts for one thread only */
	for (unsigned int round = 0; round < 200; round++) {
		struct vkf_task *task[N];

		array_init(round % 2);
		for (unsigned int i = 0; i < N; i++)
			assert_int_equal(vkf_spawn("child", signal_child, child[i], &task[i]), 0);
		assert_int_equal(mm_fence_wait(array, VKF_FOREVER, false), 0);
		assert_int_equal(mm_fence_status(array), -EIO);
		for (unsigned int i = 0; i < N; i++)
			vkf_join(task[i]);
		array_fini();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCE_TEST(shows_what_is_in_it),
		FENCE_TEST(without_memory_it_takes_nothing),
		FENCE_TEST(all_is_signalled_with_the_last),
		FENCE_TEST(any_is_signalled_with_the_first),
		FENCE_TEST(all_has_the_error_that_came_first),
		FENCE_TEST(an_error_from_before_anybody_cared_counts),
		FENCE_TEST(any_has_the_error_of_the_one_that_signalled_it),
		FENCE_TEST(makes_nobody_work_before_somebody_cares),
		FENCE_TEST(asking_it_asks_its_fences),
		FENCE_TEST(stays_until_its_fences_have_called_it),
		FENCE_TEST(takes_no_container),
		FENCE_TEST(its_fences_may_signal_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
