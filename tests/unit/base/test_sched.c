/* SPDX-License-Identifier: MIT */
#include "base/sched.h"

#include <errno.h>

#include "base/lock.h"
#include "support.h"

/* What a program has before a back end is installed. */

static void nothing(void *arg)
{
}

static void sleeping_moves_the_clock_to_the_deadline(void **state)
{
	uint64_t t0 = vkf_now_ns();

	assert_int_equal(vkf_sleep_ns(1000, false), 0);
	assert_true(vkf_now_ns() >= t0 + 1000);
	assert_int_equal(vkf_sleep_ns(0, false), 0);
}

static void an_unpark_that_comes_first_is_kept_once(void **state)
{
	uint64_t t0;

	vkf_unpark(vkf_current());
	t0 = vkf_now_ns();
	vkf_park(VKF_FOREVER);
	assert_true(vkf_now_ns() == t0);
	vkf_park(t0 + 5);
	assert_true(vkf_now_ns() == t0 + 5);
}

static void a_wait_that_nothing_can_end_panics(void **state)
{
	EXPECT_PANIC("nothing can wake it", vkf_park(VKF_FOREVER));
}

static void spawning_is_refused(void **state)
{
	struct vkf_task *t = NULL;

	assert_int_equal(vkf_spawn("t", nothing, NULL, &t), -EAGAIN);
	assert_null(t);
}

static void an_interruption_ends_an_interruptible_sleep_only(void **state)
{
	vkf_task_interrupt(vkf_current());
	assert_true(vkf_interrupted());
	assert_int_equal(vkf_sleep_ns(1000, true), -VKF_ERESTARTSYS);
	assert_int_equal(vkf_sleep_ns(1000, false), 0);
	/* It stays pending until it is forgotten. */
	assert_int_equal(vkf_sleep_ns(1000, true), -VKF_ERESTARTSYS);
	vkf_task_clear_interrupt();
	assert_false(vkf_interrupted());
	assert_int_equal(vkf_sleep_ns(1000, true), 0);
}

static void locks_and_timeouts_work_for_the_one_task(void **state)
{
	struct vkf_mutex m;
	struct vkf_cond c;
	uint64_t t0 = vkf_now_ns();

	vkf_mutex_init(&m, VKF_RANK_LEAF);
	vkf_cond_init(&c);
	vkf_mutex_lock(&m);
	assert_int_equal(vkf_cond_wait(&c, &m, t0 + 100, false), -ETIMEDOUT);
	assert_true(vkf_now_ns() >= t0 + 100);
	vkf_mutex_unlock(&m);
	vkf_mutex_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeping_moves_the_clock_to_the_deadline),
		cmocka_unit_test(an_unpark_that_comes_first_is_kept_once),
		cmocka_unit_test(a_wait_that_nothing_can_end_panics),
		cmocka_unit_test(spawning_is_refused),
		cmocka_unit_test(an_interruption_ends_an_interruptible_sleep_only),
		cmocka_unit_test(locks_and_timeouts_work_for_the_one_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
