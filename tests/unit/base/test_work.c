/* SPDX-License-Identifier: MIT */
#include "base/work.h"

#include "host/sched_host.h"
#include "work_cases.h"

static int install(void **state)
{
	host_sched_install();
	return 0;
}

static void each_run_that_is_asked_for_takes_place_once_on_threads(void **state)
{
	case_each_run_takes_place_once(1, 3, 2000);
	case_each_run_takes_place_once(3, 4, 2000);
}

static void an_ordered_queue_keeps_order(void **state)
{
	case_an_ordered_queue_keeps_order();
}

static void works_run_side_by_side(void **state)
{
	case_works_run_side_by_side();
}

static void delays_are_kept_and_can_be_changed(void **state)
{
	case_delays_are_kept_and_can_be_changed();
}

static void a_work_that_repeats_itself_is_cancelled(void **state)
{
	case_a_work_that_repeats_itself_is_cancelled();
}

static void one_task_is_enough(void **state)
{
	case_one_task_is_enough();
}

static void what_no_task_could_be_had_for_runs_at_the_next_queueing(void **state)
{
	case_what_no_task_could_be_had_for_runs_at_the_next_queueing();
}

static void queueing_allocates_nothing(void **state)
{
	struct vkf_workq wq;
	struct counted c;

	fail_alloc(1);
	assert_int_equal(vkf_workq_init(&wq, "none", 2), -ENOMEM);
	fail_alloc(0);
	assert_int_equal(vkf_workq_init(&wq, "none", 2), 0);
	fail_alloc(1);
	counted_init(&c, &wq);
	assert_true(vkf_work_queue(&c.work, 0));
	wait_until_started(&c);
	vkf_work_flush(&c.work);
	assert_int_equal(fail_countdown, 1);
	fail_alloc(0);
	vkf_workq_fini(&wq);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
}

/* The queue's lock is of rank LEAF, so any other may be held. */
static void works_are_queued_under_any_other_lock(void **state)
{
	struct vkf_workq wq;
	struct vkf_mutex m;
	struct counted c;

	assert_int_equal(vkf_workq_init(&wq, "held", 2), 0);
	counted_init(&c, &wq);
	vkf_mutex_init(&m, VKF_RANK_FENCE);
	vkf_mutex_lock(&m);
	assert_true(vkf_work_queue(&c.work, 0));
	vkf_mutex_unlock(&m);
	wait_until_started(&c);
	vkf_work_flush(&c.work);
	vkf_mutex_fini(&m);
	vkf_workq_fini(&wq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_run_that_is_asked_for_takes_place_once_on_threads),
		cmocka_unit_test(an_ordered_queue_keeps_order),
		cmocka_unit_test(works_run_side_by_side),
		cmocka_unit_test(delays_are_kept_and_can_be_changed),
		cmocka_unit_test(a_work_that_repeats_itself_is_cancelled),
		cmocka_unit_test(one_task_is_enough),
		cmocka_unit_test(what_no_task_could_be_had_for_runs_at_the_next_queueing),
		cmocka_unit_test(queueing_allocates_nothing),
		cmocka_unit_test(works_are_queued_under_any_other_lock),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
