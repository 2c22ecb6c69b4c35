/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include "../unit/base/lock_cases.h"
#include "../unit/base/wwlock_cases.h"
#include "host/env_host.h"
#include "sim/sched_sim.h"

#define N_SEEDS 300

static struct sim *sim;

static void begin(uint64_t seed)
{
	sim = sim_create(seed);
	assert_non_null(sim);
	sim_install(sim);
}

/* A deadlock in a case panics, with the seed, as the case waits on the main task. */
#define FOR_EACH_SEED(seed)                                                                        \
	for (seed = 0; seed < N_SEEDS && (begin(seed), 1); sim_destroy(sim), seed++)

static void mutex_excludes_in_each_interleaving(void **state)
{
	uint64_t seed;

	FOR_EACH_SEED(seed)
		case_mutex_excludes(1 + seed % 5, 15);
}

static void condition_loses_nothing_in_each_interleaving(void **state)
{
	uint64_t seed;

	FOR_EACH_SEED(seed)
		case_condition_loses_nothing(1 + seed % 4, 15);
}

static void one_broadcast_reaches_all_in_each_interleaving(void **state)
{
	uint64_t seed;

	FOR_EACH_SEED(seed)
		case_broadcast_reaches_all(1 + seed % MAX_TASKS);
}

static void interruptions_lose_no_wakeup_in_each_interleaving(void **state)
{
	uint64_t seed;

	FOR_EACH_SEED(seed)
		case_interruptions_lose_no_wakeup(2 + seed % 4, 30);
}

static void last_unlocker_may_free_in_each_interleaving(void **state)
{
	uint64_t seed;

	FOR_EACH_SEED(seed)
		case_last_unlocker_may_free(1 + seed % 5, 20);
}

static void opposite_orders_of_two_contexts_finish_and_some_die(void **state)
{
	unsigned int deadlocks = 0;
	uint64_t seed;

	FOR_EACH_SEED(seed)
		deadlocks += case_wwlocks(2, 10, 2, true, 0);
	/* Else the case would show nothing. */
	assert_true(deadlocks > N_SEEDS / 2);
}

static void random_orders_with_trylocks_and_interruptions_finish(void **state)
{
	unsigned int deadlocks = 0;
	uint64_t seed;

	FOR_EACH_SEED(seed)
		deadlocks += case_wwlocks(2 + seed % 5, 15, 2 + seed % (N_WW - 1), false, 10);
	assert_true(deadlocks > N_SEEDS / 2);
}

/* The owner gives the lock back and tries at once to have it again. */

static struct vkf_mutex greedy;
static unsigned int greedy_order[4], greedy_n;

static void at_ms(uint64_t ms)
{
	uint64_t at = ms * VKF_NSEC_PER_MSEC;

	assert_true(vkf_now_ns() < at);
	(void)vkf_sleep_ns(at - vkf_now_ns(), false);
}

static void greedy_waiter(void *arg)
{
	unsigned int number = *(unsigned int *)arg;

	at_ms(number);
	vkf_mutex_lock(&greedy);
	greedy_order[greedy_n++] = number;
	vkf_relax();
	vkf_mutex_unlock(&greedy);
}

static void waiters_keep_their_order_though_others_come_between(void **state)
{
	unsigned int numbers[3] = { 10, 20, 30 }, i;
	uint64_t seed;

	FOR_EACH_SEED(seed) {
		greedy_n = 0;
		vkf_mutex_init(&greedy, VKF_RANK_LEAF);
		vkf_mutex_lock(&greedy);
		start_tasks(3, greedy_waiter, numbers, sizeof(numbers[0]));
		at_ms(40);
		for (i = 0; i < 5; i++) {
			vkf_mutex_unlock(&greedy);
			vkf_mutex_lock(&greedy);
			vkf_relax();
		}
		vkf_mutex_unlock(&greedy);
		join_tasks(3);
		for (i = 0; i < 3; i++)
			assert_int_equal(greedy_order[i], numbers[i]);
		vkf_mutex_fini(&greedy);
	}
}

/*
 * Scripts with exact timing: virtual milliseconds order the steps, so that each
 * task is where the script says when the next one acts.
 */

struct actor {
	struct vkf_wwlock *first, *second; /* @first may be NULL */
	uint64_t begin_ms, second_ms, drop_ms;
	int r;           /* of taking @second */
	uint64_t got_ms; /* when that returned */
};

static void actor_task(void *arg)
{
	struct actor *a = arg;
	struct vkf_ww_ctx ctx;

	at_ms(a->begin_ms);
	vkf_ww_begin(&ctx);
	if (a->first && vkf_wwlock_lock(a->first, &ctx, false))
		vkf_panic(__FILE__, __LINE__, "script: the first lock is not free");
	at_ms(a->second_ms);
	a->r = vkf_wwlock_lock(a->second, &ctx, true);
	a->got_ms = vkf_now_ns() / VKF_NSEC_PER_MSEC;
	if (!a->r && a->got_ms < a->drop_ms)
		at_ms(a->drop_ms);
	if (!a->r)
		vkf_wwlock_unlock(a->second);
	if (a->first)
		vkf_wwlock_unlock(a->first);
	vkf_ww_end(&ctx);
}

static void play(struct actor *actors, unsigned int n)
{
	start_tasks(n, actor_task, actors, sizeof(actors[0]));
	join_tasks(n);
}

static struct vkf_wwlock lock_a, lock_b, lock_c;

static void locks_init(void)
{
	vkf_wwlock_init(&lock_a);
	vkf_wwlock_init(&lock_b);
	vkf_wwlock_init(&lock_c);
}

static void the_older_waits_and_the_younger_dies(void **state)
{
	struct actor actors[2] = {
		{ &lock_a, &lock_b, 1, 10, 0 },
		{ &lock_b, &lock_a, 2, 20, 0 },
	};

	begin(1);
	locks_init();
	play(actors, 2);
	assert_int_equal(actors[0].r, 0);
	assert_int_equal(actors[0].got_ms, 20);
	assert_int_equal(actors[1].r, -EDEADLK);
	assert_int_equal(actors[1].got_ms, 20);
	sim_destroy(sim);
}

static void a_younger_one_that_holds_nothing_waits(void **state)
{
	struct actor actors[2] = {
		{ NULL, &lock_a, 1, 10, 50 },
		{ NULL, &lock_a, 2, 20, 0 },
	};

	begin(1);
	locks_init();
	play(actors, 2);
	assert_int_equal(actors[1].r, 0);
	assert_int_equal(actors[1].got_ms, 50);
	sim_destroy(sim);
}

static void waiters_get_the_lock_in_order_of_age(void **state)
{
	/* Begun in the order 1, 2, 3; they queue up in another. */
	struct actor actors[4] = {
		{ NULL, &lock_a, 9, 10, 50 },
		{ NULL, &lock_a, 3, 20, 80 },
		{ NULL, &lock_a, 1, 22, 60 },
		{ NULL, &lock_a, 2, 21, 70 },
	};

	begin(1);
	locks_init();
	play(actors, 4);
	assert_int_equal(actors[2].got_ms, 50);
	assert_int_equal(actors[3].got_ms, 60);
	assert_int_equal(actors[1].got_ms, 70);
	sim_destroy(sim);
}

static void a_waiter_dies_when_an_older_one_gets_what_it_waits_for(void **state)
{
	/* The third owns; the second waits for it, holding another; the first, older, comes. */
	struct actor actors[3] = {
		{ NULL, &lock_a, 1, 20, 60 },
		{ &lock_b, &lock_a, 2, 15, 0 },
		{ NULL, &lock_a, 3, 10, 30 },
	};

	begin(1);
	locks_init();
	play(actors, 3);
	assert_int_equal(actors[0].r, 0);
	assert_int_equal(actors[0].got_ms, 30);
	assert_int_equal(actors[1].r, -EDEADLK);
	assert_int_equal(actors[1].got_ms, 30);
	sim_destroy(sim);
}

static void nobody_overtakes_an_older_waiter(void **state)
{
	/* The third is older than the owner, but younger than the waiter: it dies at once. */
	struct actor actors[3] = {
		{ NULL, &lock_a, 7, 10, 30 },
		{ NULL, &lock_a, 1, 15, 40 },
		{ &lock_b, &lock_a, 6, 20, 0 },
	};

	begin(1);
	locks_init();
	play(actors, 3);
	assert_int_equal(actors[1].got_ms, 30);
	assert_int_equal(actors[2].r, -EDEADLK);
	assert_int_equal(actors[2].got_ms, 20);
	sim_destroy(sim);
}

struct alone {
	uint64_t at, drop;
	bool trylock, interrupted;
	int r;
	uint64_t got_ms;
};

static void alone_task(void *arg)
{
	struct alone *a = arg;

	at_ms(a->at);
	if (a->trylock)
		a->r = vkf_wwlock_trylock(&lock_a) ? 0 : -EBUSY;
	else
		a->r = vkf_wwlock_lock(&lock_a, NULL, true);
	a->got_ms = vkf_now_ns() / VKF_NSEC_PER_MSEC;
	if (a->r)
		return;
	if (a->got_ms < a->drop)
		at_ms(a->drop);
	vkf_wwlock_unlock(&lock_a);
}

static void without_a_context_they_queue_and_trylock_keeps_out(void **state)
{
	struct alone tasks[4] = {
		{ .at = 1, .drop = 30 },
		{ .at = 10, .drop = 50 },
		{ .at = 20, .drop = 60 },
		{ .at = 25, .trylock = true },
	};

	begin(1);
	locks_init();
	start_tasks(4, alone_task, tasks, sizeof(tasks[0]));
	join_tasks(4);
	assert_int_equal(tasks[1].got_ms, 30);
	assert_int_equal(tasks[2].got_ms, 50);
	assert_int_equal(tasks[3].r, -EBUSY);
	sim_destroy(sim);
}

static void an_interrupted_first_waiter_passes_its_turn_on(void **state)
{
	struct alone tasks[3] = {
		{ .at = 1, .drop = 30 },
		{ .at = 10, .drop = 50 },
		{ .at = 20, .drop = 40 },
	};

	begin(1);
	locks_init();
	start_tasks(3, alone_task, tasks, sizeof(tasks[0]));
	at_ms(25);
	vkf_task_interrupt(case_tasks[1]);
	join_tasks(3);
	assert_int_equal(tasks[1].r, -VKF_ERESTARTSYS);
	assert_int_equal(tasks[1].got_ms, 25);
	assert_int_equal(tasks[2].r, 0);
	assert_int_equal(tasks[2].got_ms, 30);
	sim_destroy(sim);
}

static void trylock_does_not_overtake_a_woken_waiter(void **state)
{
	struct alone waiter = { .at = 10, .drop = 50 };
	struct vkf_task *t;
	uint64_t seed;

	FOR_EACH_SEED(seed) {
		locks_init();
		assert_true(vkf_wwlock_trylock(&lock_a));
		assert_int_equal(vkf_spawn("waiter", alone_task, &waiter, &t), 0);
		at_ms(20);
		vkf_wwlock_unlock(&lock_a);
		/* The waiter may not have run yet; the lock is its own all the same. */
		assert_false(vkf_wwlock_trylock(&lock_a));
		vkf_join(t);
		assert_int_equal(waiter.got_ms, 20);
	}
}

/* A context's age counts for what it took by trylock: else this would be a deadlock. */
static void trylocker_task(void *arg)
{
	struct actor *a = arg;
	struct vkf_ww_ctx ctx;

	at_ms(a->begin_ms);
	vkf_ww_begin(&ctx);
	if (!vkf_wwlock_trylock(a->first))
		vkf_panic(__FILE__, __LINE__, "script: the first lock is not free");
	at_ms(a->second_ms);
	a->r = vkf_wwlock_lock(a->second, &ctx, false);
	a->got_ms = vkf_now_ns() / VKF_NSEC_PER_MSEC;
	if (!a->r)
		vkf_wwlock_unlock(a->second);
	vkf_wwlock_unlock(a->first);
	vkf_ww_end(&ctx);
}

static void what_was_trylocked_takes_part_in_wait_die(void **state)
{
	struct actor actors[2] = {
		{ &lock_a, &lock_b, 1, 10, 0 },
		{ &lock_b, &lock_a, 2, 20, 0 },
	};

	begin(1);
	locks_init();
	start_tasks(2, trylocker_task, actors, sizeof(actors[0]));
	join_tasks(2);
	assert_int_equal(actors[0].r, 0);
	assert_int_equal(actors[1].r, -EDEADLK);
	sim_destroy(sim);
}

static void slow_task(void *arg)
{
	struct actor *a = arg;
	struct vkf_ww_ctx ctx;

	at_ms(a->begin_ms);
	vkf_ww_begin(&ctx);
	at_ms(a->second_ms);
	vkf_wwlock_lock_slow(a->second, &ctx);
	a->got_ms = vkf_now_ns() / VKF_NSEC_PER_MSEC;
	a->r = ctx.n_held == 1 ? 0 : -EINVAL;
	vkf_wwlock_unlock(a->second);
	vkf_ww_end(&ctx);
}

static void the_slow_way_waits_for_an_older_one_even_when_interrupted(void **state)
{
	struct alone owner = { .at = 1, .drop = 30 };
	struct actor a = { NULL, &lock_a, 5, 10, 0 };
	struct vkf_task *t[2];

	begin(1);
	locks_init();
	assert_int_equal(vkf_spawn("owner", alone_task, &owner, &t[0]), 0);
	assert_int_equal(vkf_spawn("slow", slow_task, &a, &t[1]), 0);
	at_ms(20);
	vkf_task_interrupt(t[1]);
	vkf_join(t[0]);
	vkf_join(t[1]);
	assert_int_equal(a.r, 0);
	assert_int_equal(a.got_ms, 30);
	sim_destroy(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutex_excludes_in_each_interleaving),
		cmocka_unit_test(condition_loses_nothing_in_each_interleaving),
		cmocka_unit_test(one_broadcast_reaches_all_in_each_interleaving),
		cmocka_unit_test(interruptions_lose_no_wakeup_in_each_interleaving),
		cmocka_unit_test(last_unlocker_may_free_in_each_interleaving),
		cmocka_unit_test(opposite_orders_of_two_contexts_finish_and_some_die),
		cmocka_unit_test(random_orders_with_trylocks_and_interruptions_finish),
		cmocka_unit_test(waiters_keep_their_order_though_others_come_between),
		cmocka_unit_test(the_older_waits_and_the_younger_dies),
		cmocka_unit_test(a_younger_one_that_holds_nothing_waits),
		cmocka_unit_test(waiters_get_the_lock_in_order_of_age),
		cmocka_unit_test(a_waiter_dies_when_an_older_one_gets_what_it_waits_for),
		cmocka_unit_test(nobody_overtakes_an_older_waiter),
		cmocka_unit_test(without_a_context_they_queue_and_trylock_keeps_out),
		cmocka_unit_test(an_interrupted_first_waiter_passes_its_turn_on),
		cmocka_unit_test(trylock_does_not_overtake_a_woken_waiter),
		cmocka_unit_test(what_was_trylocked_takes_part_in_wait_die),
		cmocka_unit_test(the_slow_way_waits_for_an_older_one_even_when_interrupted),
	};

	host_env_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
