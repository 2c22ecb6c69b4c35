/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include "host/sched_host.h"
#include "lock_cases.h"

static int install(void **state)
{
	host_sched_install();
	return 0;
}

static void mutex_excludes_contending_threads(void **state)
{
	case_mutex_excludes(4, 5000);
}

static void condition_loses_nothing_between_threads(void **state)
{
	case_condition_loses_nothing(3, 3000);
}

static void one_broadcast_reaches_every_thread(void **state)
{
	unsigned int i;

	for (i = 0; i < 50; i++)
		case_broadcast_reaches_all(MAX_TASKS);
}

static void interruptions_lose_no_wakeup_on_threads(void **state)
{
	case_interruptions_lose_no_wakeup(4, 1500);
}

static void last_unlocker_may_free_at_once(void **state)
{
	case_last_unlocker_may_free(4, 5000);
}

/* A task that holds @m until told; for tests that need it held by another. */
struct holder {
	struct vkf_mutex *m;
	atomic_bool holds, release;
};

VKF_NO_TS static void holder_task(void *arg)
{
	struct holder *h = arg;

	vkf_mutex_lock(h->m);
	atomic_store(&h->holds, true);
	while (!atomic_load(&h->release))
		vkf_relax();
	vkf_mutex_unlock(h->m);
}

static struct vkf_task *hold(struct holder *h)
{
	struct vkf_task *t;

	assert_int_equal(vkf_spawn("holder", holder_task, h, &t), 0);
	while (!atomic_load(&h->holds))
		vkf_relax();
	return t;
}

static void let_go(struct holder *h, struct vkf_task *t)
{
	atomic_store(&h->release, true);
	vkf_join(t);
}

VKF_NO_TS static void pending_interruption_ends_a_wait_but_takes_a_free_mutex(void **state)
{
	struct vkf_mutex m;
	struct holder h = { .m = &m };
	struct vkf_task *t;

	vkf_mutex_init(&m, VKF_RANK_LEAF);
	t = hold(&h);
	assert_false(vkf_mutex_trylock(&m));
	vkf_task_interrupt(vkf_current());
	assert_int_equal(vkf_mutex_lock_interruptible(&m), -VKF_ERESTARTSYS);
	let_go(&h, t);
	assert_int_equal(vkf_mutex_lock_interruptible(&m), 0);
	vkf_mutex_unlock(&m);
	vkf_task_clear_interrupt();
	vkf_mutex_fini(&m);
}

static void condition_wait_times_out_not_before_its_deadline(void **state)
{
	struct vkf_mutex m;
	struct vkf_cond c;
	uint64_t deadline = vkf_now_ns() + 3 * VKF_NSEC_PER_MSEC;

	vkf_mutex_init(&m, VKF_RANK_EVENT);
	vkf_cond_init(&c);
	vkf_mutex_lock(&m);
	assert_int_equal(vkf_cond_wait(&c, &m, deadline, true), -ETIMEDOUT);
	assert_true(vkf_now_ns() >= deadline);
	/* A deadline in the past is an answer at once, not an error of the caller. */
	assert_int_equal(vkf_cond_wait(&c, &m, 1, true), -ETIMEDOUT);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(vkf_cond_wait(&c, &m, VKF_FOREVER, true), -VKF_ERESTARTSYS);
	/* Not interruptible: the pending interruption is left alone. */
	assert_int_equal(vkf_cond_wait(&c, &m, vkf_now_ns() + 1000, false), -ETIMEDOUT);
	vkf_task_clear_interrupt();
	vkf_mutex_unlock(&m);
	vkf_mutex_fini(&m);
}

/* Objects go one by one through a slot: made and locked there, finished and freed by main. */
struct relay {
	_Atomic(struct vkf_mutex *) slot;
	atomic_bool contended;
	unsigned int n;
};

VKF_NO_TS static void relay_task(void *arg)
{
	struct relay *r = arg;
	struct vkf_mutex *m;
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		m = malloc(sizeof(*m));
		vkf_mutex_init(m, VKF_RANK_LEAF);
		vkf_mutex_lock(m);
		atomic_store(&r->contended, false);
		atomic_store(&r->slot, m);
		while (!atomic_load(&r->contended))
			vkf_relax();
		vkf_mutex_unlock(m);
		while (atomic_load(&r->slot))
			vkf_relax();
	}
}

/*
 * An interrupted waiter leaves the mutex marked as contended, so its owner goes the
 * long way through unlock, and is perhaps still there when the next one is done.
 */
VKF_NO_TS static void fini_waits_for_an_unlocker_that_is_still_inside(void **state)
{
	struct relay r = { .n = 3000 };
	struct vkf_mutex *m;
	struct vkf_task *t;
	unsigned int i;

	vkf_task_interrupt(vkf_current());
	assert_int_equal(vkf_spawn("relay", relay_task, &r, &t), 0);
	for (i = 0; i < r.n; i++) {
		while (!(m = atomic_load(&r.slot)))
			vkf_relax();
		assert_int_equal(vkf_mutex_lock_interruptible(m), -VKF_ERESTARTSYS);
		atomic_store(&r.contended, true);
		while (!vkf_mutex_trylock(m))
			vkf_relax();
		vkf_mutex_unlock(m);
		vkf_mutex_fini(m);
		free(m);
		atomic_store(&r.slot, NULL);
	}
	vkf_join(t);
	vkf_task_clear_interrupt();
}

#ifdef VKFD_DEBUG

static struct vkf_mutex outer, inner, inner_too;

static int ranks_init(void **state)
{
	vkf_mutex_init(&outer, VKF_RANK_PROCESS);
	vkf_mutex_init(&inner, VKF_RANK_LRU);
	vkf_mutex_init(&inner_too, VKF_RANK_LRU);
	return install(state);
}

VKF_NO_TS static void rank_reversal_panics_before_it_can_deadlock(void **state)
{
	vkf_mutex_lock(&inner);
	EXPECT_PANIC("rank reversal", vkf_mutex_lock(&outer));
	/* It died before it took anything. */
	assert_true(vkf_mutex_trylock(&outer));
	vkf_mutex_unlock(&outer);
	vkf_mutex_unlock(&inner);
	vkf_mutex_lock(&outer);
	vkf_mutex_lock(&inner);
	vkf_mutex_unlock(&outer);
	vkf_mutex_unlock(&inner);
	assert_int_equal(vkf_current()->n_held, 0);
}

VKF_NO_TS static void two_of_one_rank_panic(void **state)
{
	vkf_mutex_lock(&inner);
	EXPECT_PANIC("rank reversal", vkf_mutex_lock(&inner_too));
	EXPECT_PANIC("rank reversal", vkf_mutex_lock(&inner));
	EXPECT_PANIC("rank reversal", assert_int_equal(vkf_mutex_lock_interruptible(&inner), 0));
	vkf_mutex_unlock(&inner);
}

VKF_NO_TS static void unordered_trylock_still_counts_for_what_follows(void **state)
{
	struct vkf_mutex middle;

	vkf_mutex_init(&middle, VKF_RANK_VM);
	vkf_mutex_lock(&inner);
	assert_true(vkf_mutex_trylock(&outer));
	EXPECT_PANIC("rank reversal", vkf_mutex_lock(&middle));
	vkf_mutex_unlock(&inner);
	vkf_mutex_lock(&middle);
	vkf_mutex_unlock(&middle);
	vkf_mutex_unlock(&outer);
	vkf_mutex_fini(&middle);
}

VKF_NO_TS static void waiting_with_an_inner_lock_held_panics(void **state)
{
	struct vkf_cond c;

	vkf_cond_init(&c);
	vkf_mutex_lock(&outer);
	vkf_mutex_lock(&inner);
	EXPECT_PANIC("rank reversal", (void)vkf_cond_wait(&c, &outer, vkf_now_ns() + 1000, false));
	/* The wait never began: both are still held, and nobody is in the list. */
	vkf_assert_held(&outer);
	vkf_assert_held(&inner);
	assert_true(vkf_list_empty(&c.waiters));
	vkf_mutex_unlock(&inner);
	vkf_mutex_unlock(&outer);
}

VKF_NO_TS static void unlocking_what_is_not_held_panics(void **state)
{
	struct holder h = { .m = &outer };
	struct vkf_task *t;

	EXPECT_PANIC("does not hold", vkf_mutex_unlock(&outer));
	EXPECT_PANIC("vkf_current", vkf_assert_held(&outer));
	t = hold(&h);
	EXPECT_PANIC("does not hold", vkf_mutex_unlock(&outer));
	let_go(&h, t);
	vkf_mutex_lock(&outer);
	vkf_assert_held(&outer);
	EXPECT_PANIC("MUTEX_FREE", vkf_mutex_fini(&outer));
	/* The guard was left locked by the jump out of fini. */
	atomic_flag_clear(&outer.guard);
	vkf_mutex_unlock(&outer);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutex_excludes_contending_threads),
		cmocka_unit_test(condition_loses_nothing_between_threads),
		cmocka_unit_test(one_broadcast_reaches_every_thread),
		cmocka_unit_test(interruptions_lose_no_wakeup_on_threads),
		cmocka_unit_test(last_unlocker_may_free_at_once),
		cmocka_unit_test(fini_waits_for_an_unlocker_that_is_still_inside),
		cmocka_unit_test(pending_interruption_ends_a_wait_but_takes_a_free_mutex),
		cmocka_unit_test(condition_wait_times_out_not_before_its_deadline),
#ifdef VKFD_DEBUG
		cmocka_unit_test_setup(rank_reversal_panics_before_it_can_deadlock, ranks_init),
		cmocka_unit_test_setup(two_of_one_rank_panic, ranks_init),
		cmocka_unit_test_setup(unordered_trylock_still_counts_for_what_follows, ranks_init),
		cmocka_unit_test_setup(waiting_with_an_inner_lock_held_panics, ranks_init),
		cmocka_unit_test_setup(unlocking_what_is_not_held_panics, ranks_init),
#endif
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
