/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

#include "mm/fence_array.h"
#include "mm/fence_chain.h"

#define N       64
#define CONTEXT 1000 /* of the first link; the others' new ones follow, and are not used */

static struct mm_fence *work[N], *link[N];
static unsigned int n_links;

static struct mm_fence *new_link(struct mm_fence *prev, struct mm_fence *f, uint64_t point,
				 uint64_t context)
{
	struct mm_fence_chain *l = mm_fence_chain_alloc();

	assert_non_null(l);
	mm_fence_chain_init(l, prev ? mm_fence_get(prev) : NULL, mm_fence_get(f), point, context);
	return &l->base;
}

/* A chain of @n, the i-th (from 0) at point @step * (i + 1). */
static void chain_init(unsigned int n, uint64_t step)
{
	n_links = n;
	for (unsigned int i = 0; i < n; i++) {
		work[i] = new_fence(i + 1, 1);
		link[i] = new_link(i ? link[i - 1] : NULL, work[i], step * (i + 1), CONTEXT + i);
	}
}

static void chain_fini(void)
{
	for (unsigned int i = 0; i < n_links; i++)
		mm_fence_signal(work[i], 0);
	put_fences(work, n_links);
	put_fences(link, n_links);
}

static struct mm_fence *find(struct mm_fence *head, uint64_t point)
{
	struct mm_fence *f = (void *)&n_links;

	assert_int_equal(mm_fence_chain_find(head, point, &f), 0);
	mm_fence_put(f);
	return f;
}

static void expect_refused(struct mm_fence *head, uint64_t point)
{
	struct mm_fence *f = (void *)&n_links;

	assert_int_equal(mm_fence_chain_find(head, point, &f), -EINVAL);
	assert_ptr_equal(f, &n_links);
}

static void links_of_rising_points_share_a_context(void **state)
{
	chain_init(3, 10);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(link[i]->context, CONTEXT);
		assert_int_equal(link[i]->seqno, 10 * (i + 1));
		assert_true(mm_fence_is_container(link[i]));
		assert_ptr_equal(mm_fence_chain_work(link[i]), work[i]);
	}
	assert_null(mm_fence_to_chain(work[0]));
	assert_ptr_equal(mm_fence_chain_work(work[0]), work[0]);
	chain_fini();
}

static void a_point_that_does_not_rise_begins_a_context_and_does_not_go_back(void **state)
{
	const uint64_t wanted[] = { 10, 4, 10, 11 }, got[] = { 10, 10, 10, 11 };
	const uint64_t context[] = { 1, 2, 3, 3 };

	n_links = 4;
	for (unsigned int i = 0; i < 4; i++) {
		work[i] = new_fence(50 + i, 1);
		link[i] = new_link(i ? link[i - 1] : NULL, work[i], wanted[i], i + 1);
		assert_int_equal(link[i]->seqno, got[i]);
		assert_int_equal(link[i]->context, context[i]);
	}
	/* What is before the new context is not looked at: the link where it begins has it all. */
	assert_ptr_equal(find(link[3], 4), link[2]);
	assert_ptr_equal(find(link[3], 11), link[3]);
	chain_fini();
}

static void points_have_64_bits(void **state)
{
	uint64_t far = UINT64_C(1) << 40;

	n_links = 2;
	work[0] = new_fence(1, 1);
	work[1] = new_fence(2, 1);
	link[0] = new_link(NULL, work[0], 0x7fffffff, CONTEXT);
	link[1] = new_link(link[0], work[1], far, CONTEXT + 1);
	assert_int_equal(link[1]->context, CONTEXT);
	assert_true(mm_fence_is_later(link[1], link[0]));
	assert_ptr_equal(find(link[1], far), link[1]);
	assert_ptr_equal(find(link[1], 0x7fffffff), link[0]);
	assert_ptr_equal(find(link[1], UINT64_C(0x80000000)), link[1]);
	chain_fini();
}

static void finds_the_link_of_each_point(void **state)
{
	chain_init(N, 1);
	for (unsigned int i = 0; i < N; i++) {
		assert_ptr_equal(find(link[N - 1], i + 1), link[i]);
		assert_ptr_equal(find(link[i], i + 1), link[i]);
		expect_refused(link[i], i + 2);
		if (i > 0)
			assert_ptr_equal(find(link[i], i), link[i - 1]);
	}
	chain_fini();
}

static void finds_the_next_link_for_a_point_between(void **state)
{
	chain_init(N, 2);
	for (unsigned int i = 0; i < N; i++) {
		assert_ptr_equal(find(link[N - 1], 2 * i + 1), link[i]);
		assert_ptr_equal(find(link[i], 2 * i + 2), link[i]);
	}
	chain_fini();
}

static void point_zero_is_whatever_there_is(void **state)
{
	chain_init(2, 1);
	assert_ptr_equal(find(link[1], 0), link[1]);
	assert_ptr_equal(find(work[0], 0), work[0]);
	assert_null(find(NULL, 0));
	chain_fini();
}

static void what_is_no_chain_has_no_points(void **state)
{
	chain_init(1, 1);
	expect_refused(work[0], 1);
	expect_refused(NULL, 1);
	chain_fini();
}

static void a_point_that_is_reached_gives_nothing_or_its_link(void **state)
{
	chain_init(2, 1);
	mm_fence_signal(work[0], 0);
	assert_null(find(link[1], 1));
	assert_ptr_equal(find(link[0], 1), link[0]);
	chain_fini();
}

static void a_point_whose_work_is_done_gives_what_is_pending_before_it(void **state)
{
	chain_init(3, 1);
	mm_fence_signal(work[1], 0);
	assert_ptr_equal(find(link[2], 2), link[0]);
	chain_fini();
}

static void signals_link_by_link_when_work_is_done_in_order(void **state)
{
	chain_init(N, 1);
	for (unsigned int i = 0; i < N; i++) {
		assert_false(mm_fence_poll(link[i]));
		mm_fence_signal(work[i], -EIO);
		assert_int_equal(mm_fence_status(link[i]), 1);
	}
	chain_fini();
}

static void signals_nothing_before_the_first_work_is_done(void **state)
{
	chain_init(N, 1);
	for (unsigned int i = N; i-- > 1;) {
		mm_fence_signal(work[i], 0);
		assert_false(mm_fence_poll(link[i]));
	}
	mm_fence_signal(work[0], 0);
	for (unsigned int i = 0; i < N; i++)
		assert_true(mm_fence_poll(link[i]));
	chain_fini();
}

/* As above, but told instead of asking. */
static void a_link_that_is_enabled_signals_by_itself(void **state)
{
	for (unsigned int backwards = 0; backwards < 2; backwards++) {
		struct test_cb c = { .n_calls = 0 };

		chain_init(N, 1);
		assert_int_equal(mm_fence_add_callback(link[N - 1], &c.cb, test_called), 0);
		for (unsigned int i = 0; i < N; i++) {
			assert_int_equal(c.n_calls, 0);
			mm_fence_signal(work[backwards ? N - 1 - i : i], 0);
		}
		assert_int_equal(c.n_calls, 1);
		assert_true(mm_fence_is_signalled(link[N - 1]));
		chain_fini();
	}
}

static void a_link_makes_nobody_work_before_somebody_cares(void **state)
{
	struct test_cb c = { .n_calls = 0 };

	chain_init(3, 1);
	assert_false(mm_fence_poll(link[2]));
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(to_test(work[i])->n_enabled, 0);
	assert_int_equal(mm_fence_add_callback(link[2], &c.cb, test_called), 0);
	assert_int_equal(to_test(work[2])->n_enabled, 1);
	mm_fence_signal(work[2], 0);
	assert_int_equal(to_test(work[1])->n_enabled, 1);
	chain_fini();
	assert_int_equal(c.n_calls, 1);
}

static void a_link_is_signalled_when_enabling_finds_all_done(void **state)
{
	chain_init(3, 1);
	for (unsigned int i = 0; i < 3; i++)
		to_test(work[i])->enable_is_done = true;
	mm_fence_enable(link[2]);
	assert_true(mm_fence_is_signalled(link[2]));
	chain_fini();
}

static void walking_forgets_what_is_signalled(void **state)
{
	struct mm_fence *pos;
	unsigned int n = 0;

	chain_init(4, 1);
	mm_fence_signal(work[0], 0);
	mm_fence_signal(work[2], 0);
	mm_fence_chain_for_each(pos, link[3]) assert_ptr_equal(pos, n++ ? link[1] : link[3]);
	assert_int_equal(n, 2);
	/* The links that were passed over are held by nobody but us. */
	assert_int_equal(vkf_ref_read(&link[2]->ref), 1);
	assert_int_equal(vkf_ref_read(&link[0]->ref), 1);
	chain_fini();
}

static void a_chain_may_begin_after_any_fence(void **state)
{
	struct mm_fence *first = new_fence(99, 1), *pos;
	unsigned int n = 0;

	n_links = 1;
	work[0] = new_fence(1, 1);
	link[0] = new_link(first, work[0], 1, CONTEXT);
	mm_fence_signal(work[0], 0);
	assert_false(mm_fence_poll(link[0]));
	mm_fence_chain_for_each(pos, link[0]) assert_ptr_equal(pos, n++ ? first : link[0]);
	assert_int_equal(n, 2);
	mm_fence_signal(first, 0);
	assert_true(mm_fence_poll(link[0]));
	mm_fence_put(first);
	chain_fini();
}

static void a_link_may_hold_an_array(void **state)
{
	struct mm_fence *f[2], *array;

	new_fences(f, 2);
	assert_int_equal(mm_fence_array_create(f, 2, 90, 1, false, &array), 0);
	link[0] = new_link(NULL, array, 1, CONTEXT);
	mm_fence_enable(link[0]);
	mm_fence_signal(f[0], 0);
	assert_false(mm_fence_is_signalled(link[0]));
	mm_fence_signal(f[1], 0);
	assert_true(mm_fence_is_signalled(link[0]));
	mm_fence_put(link[0]);
	mm_fence_put(array);
	put_fences(f, 2);
}

static void a_link_holds_no_link(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_fence_chain *l = mm_fence_chain_alloc();

	chain_init(1, 1);
	EXPECT_PANIC("to_chain", mm_fence_chain_init(l, NULL, link[0], 1, CONTEXT));
	vkf_free(l);
	chain_fini();
#else
	skip();
#endif
}

static void the_head_holds_all_and_drops_all(void **state)
{
	chain_init(N, 1);
	put_fences(link, N - 1);
	put_fences(work, N);
	assert_int_equal(n_test_fences, N);
	mm_fence_put(link[N - 1]);
	assert_int_equal(n_test_fences, 0);
}

static void a_link_that_others_hold_stays_with_what_is_before_it(void **state)
{
	chain_init(4, 1);
	mm_fence_put(link[3]);
	mm_fence_put(link[2]);
	mm_fence_put(link[0]);
	put_fences(work, 4);
	assert_int_equal(n_test_fences, 2);
	assert_false(mm_fence_poll(link[1]));
	mm_fence_put(link[1]);
}

/* ------------------------------------------------ with threads */

static void wait_for_head(void *arg)
{
	assert_int_equal(mm_fence_wait(link[n_links - 1], VKF_FOREVER, false), 0);
	for (unsigned int i = 0; i < n_links; i++)
		assert_true(mm_fence_is_signalled(work[i]));
}

static void a_waiter_wakes_in_whatever_order_work_is_done(void **state)
{
	vkf_env_set(NULL); /* which counts for one thread only */
	for (unsigned int round = 0; round < 60; round++) {
		struct vkf_task *task[2];
		unsigned int order[N];

		chain_init(N, 1);
		for (unsigned int i = 0; i < N; i++)
			order[i] = round % 3 == 1 ? N - 1 - i : i;
		for (unsigned int i = N; round % 3 == 2 && i > 1; i--) {
			unsigned int j = rnd(i), was = order[i - 1];

			order[i - 1] = order[j];
			order[j] = was;
		}
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(vkf_spawn("waiter", wait_for_head, NULL, &task[i]), 0);
		for (unsigned int i = 0; i < N; i++)
			mm_fence_signal(work[order[i]], 0);
		vkf_join(task[0]);
		vkf_join(task[1]);
		chain_fini();
	}
}

/* Find a point, and make another's work done, which is not the last's. */
static void find_and_signal(void *arg)
{
	uint64_t dice = (uintptr_t)arg;

	for (unsigned int i = 0; i < 4 * N; i++) {
		struct mm_fence *f = NULL, *again = NULL;
		uint64_t point;

		dice = vkf_hash_u64(dice + 1);
		point = dice % N + 1;
		assert_int_equal(mm_fence_chain_find(link[N - 1], point, &f), 0);
		if (f && f->seqno == point) {
			assert_int_equal(mm_fence_chain_find(f, point, &again), 0);
			assert_ptr_equal(again, f);
			mm_fence_put(again);
		}
		mm_fence_put(f);
		mm_fence_signal(work[(dice >> 32) % (N - 1)], 0);
	}
}

static void points_are_found_while_others_signal(void **state)
{
	vkf_env_set(NULL);
	for (unsigned int round = 0; round < 20; round++) {
		struct vkf_task *task[3];

		chain_init(N, 1);
		put_fences(link, N - 1);
		for (uintptr_t i = 0; i < 3; i++)
			assert_int_equal(vkf_spawn("finder", find_and_signal,
						   (void *)(i + 10 * round), &task[i]),
					 0);
		for (unsigned int i = 0; i < 3; i++)
			vkf_join(task[i]);
		assert_false(mm_fence_poll(link[N - 1]));
		mm_fence_signal(work[N - 1], 0);
		mm_fence_put(link[N - 1]);
		put_fences(work, N);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCE_TEST(links_of_rising_points_share_a_context),
		FENCE_TEST(a_point_that_does_not_rise_begins_a_context_and_does_not_go_back),
		FENCE_TEST(points_have_64_bits),
		FENCE_TEST(finds_the_link_of_each_point),
		FENCE_TEST(finds_the_next_link_for_a_point_between),
		FENCE_TEST(point_zero_is_whatever_there_is),
		FENCE_TEST(what_is_no_chain_has_no_points),
		FENCE_TEST(a_point_that_is_reached_gives_nothing_or_its_link),
		FENCE_TEST(a_point_whose_work_is_done_gives_what_is_pending_before_it),
		FENCE_TEST(signals_link_by_link_when_work_is_done_in_order),
		FENCE_TEST(signals_nothing_before_the_first_work_is_done),
		FENCE_TEST(a_link_that_is_enabled_signals_by_itself),
		FENCE_TEST(a_link_makes_nobody_work_before_somebody_cares),
		FENCE_TEST(a_link_is_signalled_when_enabling_finds_all_done),
		FENCE_TEST(walking_forgets_what_is_signalled),
		FENCE_TEST(a_chain_may_begin_after_any_fence),
		FENCE_TEST(a_link_may_hold_an_array),
		FENCE_TEST(a_link_holds_no_link),
		FENCE_TEST(the_head_holds_all_and_drops_all),
		FENCE_TEST(a_link_that_others_hold_stays_with_what_is_before_it),
		FENCE_TEST(a_waiter_wakes_in_whatever_order_work_is_done),
		FENCE_TEST(points_are_found_while_others_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
