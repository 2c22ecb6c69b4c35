/* SPDX-License-Identifier: MIT */
/* Work queues in many interleavings, and what time has to do with them. */
#include "sim/sched_sim.h"

#include "../unit/base/work_cases.h"

#define N_SEEDS 150

static void in_many_interleavings(void (*fn)(void))
{
	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct sim *sim = sim_create(seed);

		sim_install(sim);
		rnd_state = seed;
		fn();
		sim_destroy(sim);
	}
}

static void random_case(void)
{
	case_each_run_takes_place_once(1 + (unsigned int)rnd(4), 1 + (unsigned int)rnd(4), 60);
}

static void each_run_that_is_asked_for_takes_place_once(void **state)
{
	in_many_interleavings(random_case);
}

static void an_ordered_queue_keeps_order(void **state)
{
	in_many_interleavings(case_an_ordered_queue_keeps_order);
}

static void works_run_side_by_side(void **state)
{
	in_many_interleavings(case_works_run_side_by_side);
}

static void delays_are_kept_and_can_be_changed(void **state)
{
	in_many_interleavings(case_delays_are_kept_and_can_be_changed);
}

static void a_work_that_repeats_itself_is_cancelled(void **state)
{
	in_many_interleavings(case_a_work_that_repeats_itself_is_cancelled);
}

static void one_task_is_enough(void **state)
{
	in_many_interleavings(case_one_task_is_enough);
}

static void what_no_task_could_be_had_for_runs_at_the_next_queueing(void **state)
{
	in_many_interleavings(case_what_no_task_could_be_had_for_runs_at_the_next_queueing);
}

/* All but one end after a while, and that one has no timer: time does not go on for it. It ends when
 * nobody wants it any more. */
static void an_idle_queue_keeps_one_task_and_no_timer(void **state)
{
	struct sim *sim = sim_create(7);
	struct counted works[N_WORKS];
	struct vkf_workq wq;
	uint64_t then;

	sim_install(sim);
	assert_int_equal(vkf_workq_init(&wq, "idle", N_WORKS), 0);
	assert_int_equal(vkf_workq_prepare(&wq), 0);
	for (unsigned int i = 0; i < N_WORKS; i++) {
		counted_init(&works[i], &wq);
		atomic_store(&works[i].hold, true);
		assert_true(vkf_work_queue(&works[i].work, 0));
	}
	for (unsigned int i = 0; i < N_WORKS; i++)
		wait_until_started(&works[i]);
	assert_int_equal(wq.n_workers, N_WORKS);
	for (unsigned int i = 0; i < N_WORKS; i++)
		atomic_store(&works[i].hold, false);
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(wq.n_workers, 1);
	then = vkf_now_ns();
	assert_int_equal(sim_run(sim), 0);
	assert_in_range(vkf_now_ns(), then, then + VKF_NSEC_PER_MSEC);
	/* And it comes back from there. */
	for (unsigned int i = 0; i < N_WORKS; i++) {
		assert_true(vkf_work_queue(&works[i].work, 1000));
		vkf_work_flush(&works[i].work);
		assert_int_equal(works[i].n_runs, 2);
	}
	vkf_workq_release(&wq);
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(wq.n_workers, 0);
	/* Without anybody who wants one it comes, and goes. */
	assert_true(vkf_work_queue(&works[0].work, 5000 * VKF_NSEC_PER_MSEC));
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(works[0].n_runs, 3);
	assert_int_equal(wq.n_workers, 0);
	vkf_workq_fini(&wq);
	sim_destroy(sim);
}

static void sleep_forever(void *arg)
{
	vkf_park(VKF_FOREVER);
}

/* Only a task that says so may be left waiting: any other that nobody can wake is a deadlock. */
static void one_that_waits_beside_an_idle_task_is_still_a_deadlock(void **state)
{
	struct sim *sim = sim_create(8);
	struct vkf_workq wq;

	sim_install(sim);
	assert_int_equal(vkf_workq_init(&wq, "idle", 2), 0);
	assert_int_equal(vkf_workq_prepare(&wq), 0);
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(sim_spawn(sim, "stuck", sleep_forever, NULL, NULL), 0);
	assert_int_equal(sim_run(sim), -EDEADLK);
	vkf_workq_fini(&wq);
	sim_destroy(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_run_that_is_asked_for_takes_place_once),
		cmocka_unit_test(an_ordered_queue_keeps_order),
		cmocka_unit_test(works_run_side_by_side),
		cmocka_unit_test(delays_are_kept_and_can_be_changed),
		cmocka_unit_test(a_work_that_repeats_itself_is_cancelled),
		cmocka_unit_test(one_task_is_enough),
		cmocka_unit_test(what_no_task_could_be_had_for_runs_at_the_next_queueing),
		cmocka_unit_test(an_idle_queue_keeps_one_task_and_no_timer),
		cmocka_unit_test(one_that_waits_beside_an_idle_task_is_still_a_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
