/* SPDX-License-Identifier: MIT */
#include "base/wwlock.h"

#include "base/lock.h"
#include "host/sched_host.h"
#include "wwlock_cases.h"

static int install(void **state)
{
	host_sched_install();
	return 0;
}

static void opposite_orders_of_two_contexts_all_finish(void **state)
{
	(void)case_wwlocks(2, 5000, 2, true, 0);
}

static void random_orders_of_many_contexts_all_finish(void **state)
{
	(void)case_wwlocks(4, 3000, N_WW, false, 200);
}

/* A task that holds @w until told; for tests that need it held by another. */
struct holder {
	struct vkf_wwlock *w;
	atomic_bool holds, release;
};

static void holder_task(void *arg)
{
	struct holder *h = arg;

	if (vkf_wwlock_lock(h->w, NULL, false))
		return;
	atomic_store(&h->holds, true);
	while (!atomic_load(&h->release))
		vkf_relax();
	vkf_wwlock_unlock(h->w);
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

static void wwlock_taken_twice_says_ealready(void **state)
{
	struct vkf_wwlock a;
	struct vkf_ww_ctx ctx;

	vkf_wwlock_init(&a);
	vkf_ww_begin(&ctx);
	assert_int_equal(vkf_wwlock_lock(&a, &ctx, false), 0);
	assert_int_equal(vkf_wwlock_lock(&a, &ctx, false), -EALREADY);
	assert_int_equal(ctx.n_held, 1);
	assert_false(vkf_wwlock_trylock(&a));
	vkf_wwlock_unlock(&a);
	assert_false(vkf_wwlock_is_mine(&a));
	vkf_ww_end(&ctx);
	vkf_wwlock_fini(&a);
}

static void pending_interruption_ends_a_wait_for_a_wwlock(void **state)
{
	struct vkf_wwlock a;
	struct holder h = { .w = &a };
	struct vkf_ww_ctx ctx;
	struct vkf_task *t;

	vkf_wwlock_init(&a);
	t = hold(&h);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(vkf_wwlock_lock(&a, NULL, true), -VKF_ERESTARTSYS);
	vkf_ww_begin(&ctx);
	assert_int_equal(vkf_wwlock_lock(&a, &ctx, true), -VKF_ERESTARTSYS);
	assert_int_equal(ctx.n_held, 0);
	vkf_ww_end(&ctx);
	assert_false(vkf_wwlock_trylock(&a));
	let_go(&h, t);
	assert_int_equal(vkf_wwlock_lock(&a, NULL, true), 0);
	assert_true(vkf_wwlock_is_mine(&a));
	vkf_wwlock_unlock(&a);
	vkf_task_clear_interrupt();
	vkf_wwlock_fini(&a);
}

#ifdef VKFD_DEBUG

VKF_NO_TS static void reservations_nest_only_in_a_context_and_only_there(void **state)
{
	struct vkf_mutex outer, inner;
	struct vkf_wwlock a, b;
	struct vkf_ww_ctx ctx, other;

	vkf_mutex_init(&outer, VKF_RANK_PROCESS);
	vkf_mutex_init(&inner, VKF_RANK_LRU);
	vkf_wwlock_init(&a);
	vkf_wwlock_init(&b);
	assert_int_equal(vkf_wwlock_lock(&a, NULL, false), 0);
	EXPECT_PANIC("without a lock context",
		     assert_int_equal(vkf_wwlock_lock(&b, NULL, false), 0));
	EXPECT_PANIC("n_ww == 0", vkf_ww_begin(&ctx));
	EXPECT_PANIC("under a reservation", vkf_mutex_lock(&outer));
	vkf_mutex_lock(&inner);
	EXPECT_PANIC("inside an inner lock", assert_int_equal(vkf_wwlock_lock(&b, NULL, false), 0));
	vkf_mutex_unlock(&inner);
	vkf_wwlock_unlock(&a);

	vkf_ww_begin(&ctx);
	EXPECT_PANIC("ww_stamp == 0", vkf_ww_begin(&other));
	assert_int_equal(vkf_wwlock_lock(&a, &ctx, false), 0);
	assert_int_equal(vkf_wwlock_lock(&b, &ctx, false), 0);
	EXPECT_PANIC("n_held == 0", vkf_ww_end(&ctx));
	vkf_wwlock_unlock(&b);
	EXPECT_PANIC("n_ww == 0", vkf_wwlock_lock_slow(&b, &ctx));
	vkf_wwlock_unlock(&a);
	vkf_ww_end(&ctx);
	EXPECT_PANIC("== task", vkf_wwlock_unlock(&a));
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opposite_orders_of_two_contexts_all_finish),
		cmocka_unit_test(random_orders_of_many_contexts_all_finish),
		cmocka_unit_test(wwlock_taken_twice_says_ealready),
		cmocka_unit_test(pending_interruption_ends_a_wait_for_a_wwlock),
#ifdef VKFD_DEBUG
		cmocka_unit_test(reservations_nest_only_in_a_context_and_only_there),
#endif
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
