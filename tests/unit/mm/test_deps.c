/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/deps.h"

#define N 40

static struct mm_deps d;
static struct mm_fence fence[N]; /* never freed: references are counted */

static void no_release(struct mm_fence *f)
{
}

static const struct mm_fence_ops static_ops = { .release = no_release };

static struct mm_fence *make(unsigned int i, uint64_t context, uint64_t seqno)
{
	mm_fence_init(&fence[i], &static_ops, context, seqno);
	return &fence[i];
}

static int setup(void **state)
{
	host_sched_install();
	mm_deps_init(&d);
	return 0;
}

static int teardown(void **state)
{
	mm_deps_fini(&d);
	vkf_env_set(NULL);
	return 0;
}

static void add(struct mm_fence *f)
{
	assert_int_equal(mm_deps_add(&d, f), 0);
}

static unsigned int n_refs(unsigned int i)
{
	return vkf_ref_read(&fence[i].ref);
}

static void of_one_context_it_keeps_the_latest(void **state)
{
	add(make(0, 5, 2));
	add(make(1, 5, 3));
	add(make(2, 5, 1));
	add(&fence[1]);
	assert_int_equal(d.n, 1);
	assert_ptr_equal(d.fences[0], &fence[1]);
	assert_int_equal(n_refs(0), 1);
	assert_int_equal(n_refs(1), 2);
	assert_int_equal(n_refs(2), 1);
}

static void it_takes_no_fence_that_has_signalled(void **state)
{
	mm_fence_signal(make(0, 5, 2), 0);
	add(&fence[0]);
	assert_int_equal(d.n, 0);
	assert_int_equal(n_refs(0), 1);
}

static void it_is_in_order_of_contexts_however_they_came(void **state)
{
	for (unsigned int i = 0; i < N; i++)
		add(make(i, 1 + i * 17 % N, 1));
	assert_int_equal(d.n, N);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(d.fences[i]->context, i + 1);
}

static void a_few_need_no_memory_and_one_more_does(void **state)
{
	fail_alloc(1);
	for (unsigned int i = 0; i < MM_DEPS_INLINE; i++)
		add(make(i, i + 1, 1));
	assert_int_equal(mm_deps_add(&d, make(9, 99, 1)), -ENOMEM);
	assert_int_equal(d.n, MM_DEPS_INLINE);
	assert_int_equal(n_refs(9), 1);
	for (unsigned int i = 0; i < MM_DEPS_INLINE; i++)
		assert_ptr_equal(d.fences[i], &fence[i]);
	add(make(9, 99, 1));
	assert_int_equal(d.n, MM_DEPS_INLINE + 1);
}

static void what_has_signalled_makes_room(void **state)
{
	for (unsigned int i = 0; i < MM_DEPS_INLINE; i++)
		add(make(i, i + 1, 1));
	for (unsigned int i = 0; i < MM_DEPS_INLINE - 1; i++)
		mm_fence_signal(&fence[i], 0);
	fail_alloc(1);
	add(make(9, 99, 1));
	assert_int_equal(d.n, 2);
	assert_ptr_equal(d.fences[0], &fence[MM_DEPS_INLINE - 1]);
	assert_ptr_equal(d.fences[1], &fence[9]);
	assert_int_equal(n_refs(0), 1);
}

static void ending_drops_every_reference(void **state)
{
	for (unsigned int i = 0; i < N; i++)
		add(make(i, i + 1, 1));
	mm_deps_fini(&d);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(n_refs(i), 1);
}

static void of_a_reservation_it_takes_what_the_usage_asks_for(void **state)
{
	struct mm_resv r;

	mm_resv_init(&r);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	assert_int_equal(mm_resv_reserve_locked(&r, 4), 0);
	mm_resv_add_locked(&r, make(0, 1, 1), MM_RESV_KERNEL);
	mm_resv_add_locked(&r, make(1, 2, 1), MM_RESV_WRITE);
	mm_resv_add_locked(&r, make(2, 3, 1), MM_RESV_READ);
	mm_resv_add_locked(&r, make(3, 4, 1), MM_RESV_BOOKKEEP);
	mm_fence_signal(&fence[1], 0);
	assert_int_equal(mm_deps_add_resv_locked(&d, &r, MM_RESV_READ), 0);
	assert_int_equal(d.n, 2);
	assert_ptr_equal(d.fences[0], &fence[0]);
	assert_ptr_equal(d.fences[1], &fence[2]);
	assert_int_equal(mm_deps_add_resv_locked(&d, &r, MM_RESV_BOOKKEEP), 0);
	assert_int_equal(d.n, 3);
	mm_resv_unlock(&r);
	mm_resv_fini(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_one_context_it_keeps_the_latest),
		TEST(it_takes_no_fence_that_has_signalled),
		TEST(it_is_in_order_of_contexts_however_they_came),
		TEST(a_few_need_no_memory_and_one_more_does),
		TEST(what_has_signalled_makes_room),
		TEST(ending_drops_every_reference),
		TEST(of_a_reservation_it_takes_what_the_usage_asks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
