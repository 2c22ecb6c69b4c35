/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

#include "mm/fence_array.h"
#include "mm/resv_iter.h"

#define N 8

static struct mm_resv r, other;
static struct mm_fence *f[N];

static int setup(void **state)
{
	fence_setup(state);
	mm_resv_init(&r);
	mm_resv_init(&other);
	new_fences(f, N);
	return 0;
}

static int teardown(void **state)
{
	mm_resv_fini(&r);
	mm_resv_fini(&other);
	put_fences(f, N);
	return fence_teardown(state);
}

VKF_NO_TS static void add_to(struct mm_resv *to, struct mm_fence *fence, enum mm_resv_usage usage)
{
	assert_int_equal(mm_resv_lock(to, false), 0);
	assert_int_equal(mm_resv_reserve_locked(to, 1), 0);
	mm_resv_add_locked(to, fence, usage);
	mm_resv_unlock(to);
}

static void add(unsigned int i, enum mm_resv_usage usage)
{
	add_to(&r, f[i], usage);
}

static void add_one_of_each(void)
{
	for (unsigned int i = 0; i <= MM_RESV_BOOKKEEP; i++)
		add(i, (enum mm_resv_usage)i);
}

static void gives_each_unsignalled_fence_that_the_usage_asks_for(void **state)
{
	add_one_of_each();
	for (unsigned int usage = 0; usage <= MM_RESV_BOOKKEEP; usage++) {
		struct mm_resv_iter it;
		unsigned int n = 0;

		mm_resv_iter_begin(&it, &r, (enum mm_resv_usage)usage);
		while (mm_resv_iter_next(&it)) {
			assert_ptr_equal(it.fence, f[n]);
			assert_int_equal(it.usage, n);
			assert_true(it.restarted == (n == 0));
			n++;
		}
		assert_int_equal(n, usage + 1);
		assert_false(it.restarted);
		mm_resv_iter_end(&it);
	}
	mm_fence_signal(f[0], 0);
	to_test(f[1])->is_done = true;
	assert_true(mm_resv_test_signalled(&r, MM_RESV_WRITE));
	assert_false(mm_resv_test_signalled(&r, MM_RESV_READ));
}

static void tells_signalled_from_not(void **state)
{
	for (unsigned int usage = 0; usage <= MM_RESV_BOOKKEEP; usage++) {
		assert_true(mm_resv_test_signalled(&r, MM_RESV_BOOKKEEP));
		add(usage, (enum mm_resv_usage)usage);
		assert_false(mm_resv_test_signalled(&r, (enum mm_resv_usage)usage));
		if (usage > 0)
			assert_true(mm_resv_test_signalled(&r, (enum mm_resv_usage)(usage - 1)));
		mm_fence_signal(f[usage], 0);
		assert_true(mm_resv_test_signalled(&r, (enum mm_resv_usage)usage));
	}
}

static void works_with_the_lock_held_too(void **state)
{
	add(0, MM_RESV_WRITE);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	assert_false(mm_resv_test_signalled(&r, MM_RESV_READ));
	mm_resv_unlock(&r);
}

static void begins_again_when_a_fence_is_added_meanwhile(void **state)
{
	struct mm_resv_iter it;

	add(0, MM_RESV_READ);
	add(1, MM_RESV_READ);
	mm_resv_iter_begin(&it, &r, MM_RESV_READ);
	assert_ptr_equal(mm_resv_iter_next(&it), f[0]);
	assert_ptr_equal(mm_resv_iter_next(&it), f[1]);
	assert_false(it.restarted);
	add(2, MM_RESV_READ);
	for (unsigned int i = 0; i < 3; i++) {
		assert_ptr_equal(mm_resv_iter_next(&it), f[i]);
		assert_true(it.restarted == (i == 0));
	}
	assert_null(mm_resv_iter_next(&it));
	assert_false(it.restarted);
	mm_resv_iter_end(&it);
}

static void says_that_it_began_again_when_nothing_is_left(void **state)
{
	struct mm_resv_iter it;

	add(0, MM_RESV_READ);
	mm_resv_iter_begin(&it, &r, MM_RESV_READ);
	assert_ptr_equal(mm_resv_iter_next(&it), f[0]);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	mm_resv_replace_locked(&r, f[0]->context, NULL, MM_RESV_READ);
	mm_resv_unlock(&r);
	assert_null(mm_resv_iter_next(&it));
	assert_true(it.restarted);
	mm_resv_iter_end(&it);
}

static void holds_the_fence_it_gave_last(void **state)
{
	struct mm_fence *mine = new_fence(77, 1);
	struct mm_resv_iter it;

	add_to(&r, mine, MM_RESV_READ);
	mm_resv_iter_begin(&it, &r, MM_RESV_READ);
	assert_ptr_equal(mm_resv_iter_next(&it), mine);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	mm_resv_replace_locked(&r, 77, NULL, MM_RESV_READ);
	mm_resv_unlock(&r);
	mm_fence_put(mine);
	assert_int_equal(n_test_fences, N + 1);
	mm_resv_iter_end(&it);
	assert_int_equal(n_test_fences, N);
}

static void gets_all_fences(void **state)
{
	struct mm_fence **fences;
	size_t n;

	add_one_of_each();
	assert_int_equal(mm_resv_get_fences(&r, MM_RESV_READ, &fences, &n), 0);
	assert_int_equal(n, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_ptr_equal(fences[i], f[i]);
		assert_int_equal(vkf_ref_read(&f[i]->ref), 3);
		mm_fence_put(fences[i]);
	}
	vkf_free(fences);
	assert_int_equal(mm_resv_get_fences(&other, MM_RESV_BOOKKEEP, &fences, &n), 0);
	assert_int_equal(n, 0);
	assert_null(fences);
}

/* Somebody else empties the reservation while its last fence is asked. */
VKF_NO_TS static bool empty_it(struct mm_fence *last)
{
	assert_int_equal(mm_resv_lock(&r, false), 0);
	mm_resv_replace_locked(&r, f[0]->context, NULL, MM_RESV_READ);
	mm_resv_unlock(&r);
	return true;
}

static void gets_none_that_was_gone_before_it_ended(void **state)
{
	static const struct mm_fence_ops ops = { .release = test_fence_release,
						 .signalled = empty_it };
	struct mm_fence **fences, *last = new_fence(77, 1);
	size_t n;

	last->ops = &ops;
	add(0, MM_RESV_READ);
	add_to(&r, last, MM_RESV_READ);
	assert_int_equal(mm_resv_get_fences(&r, MM_RESV_READ, &fences, &n), 0);
	assert_int_equal(n, 0);
	mm_fence_put(last);
}

static void gets_them_as_nothing_one_or_an_array(void **state)
{
	struct mm_fence *one;

	add_one_of_each();
	assert_int_equal(mm_resv_get_singleton(&r, MM_RESV_KERNEL, 50, &one), 0);
	assert_ptr_equal(one, f[0]);
	mm_fence_put(one);
	assert_int_equal(mm_resv_get_singleton(&r, MM_RESV_BOOKKEEP, 50, &one), 0);
	assert_int_equal(mm_fence_array_len(one), 4);
	assert_int_equal(one->context, 50);
	mm_fence_put(one);
	assert_int_equal(mm_resv_get_singleton(&other, MM_RESV_BOOKKEEP, 50, &one), 0);
	assert_null(one);
}

static void expect_same(struct mm_resv *a, struct mm_resv *b)
{
	struct mm_resv_iter in_a, in_b;

	mm_resv_iter_begin(&in_a, a, MM_RESV_BOOKKEEP);
	mm_resv_iter_begin(&in_b, b, MM_RESV_BOOKKEEP);
	while (mm_resv_iter_next(&in_a)) {
		assert_ptr_equal(mm_resv_iter_next(&in_b), in_a.fence);
		assert_int_equal(in_a.usage, in_b.usage);
	}
	assert_null(mm_resv_iter_next(&in_b));
	mm_resv_iter_end(&in_a);
	mm_resv_iter_end(&in_b);
}

static void copies_fences_with_their_usages(void **state)
{
	struct mm_fence *mine[] = { new_fence(77, 1), new_fence(78, 1), new_fence(79, 1) };

	for (unsigned int i = 0; i < N; i++)
		add(i, (enum mm_resv_usage)(i % 4));
	add_to(&other, mine[0], MM_RESV_KERNEL);
	assert_int_equal(mm_resv_lock(&other, false), 0);
	assert_int_equal(mm_resv_reserve_locked(&other, 3), 0);
	assert_int_equal(mm_resv_copy_locked(&other, &r), 0);
	expect_same(&r, &other);
	assert_int_equal(vkf_ref_read(&mine[0]->ref), 1);
	/* What was reserved is there still. */
	fail_alloc(1);
	for (unsigned int i = 0; i < 3; i++)
		mm_resv_add_locked(&other, mine[i], MM_RESV_READ);
	mm_resv_unlock(&other);
	fail_alloc(0);
	put_fences(mine, 3);
}

static void copies_nothing_too(void **state)
{
	add_to(&other, f[5], MM_RESV_KERNEL);
	assert_int_equal(mm_resv_lock(&other, false), 0);
	assert_int_equal(mm_resv_copy_locked(&other, &r), 0);
	mm_resv_unlock(&other);
	assert_true(mm_resv_test_signalled(&other, MM_RESV_BOOKKEEP));
	assert_int_equal(vkf_ref_read(&f[5]->ref), 1);
}

/* ------------------------------------------------ with threads */

#define N_READS 300
#define N_READERS 2

static atomic_uint n_reading;

/* Adds pairs of fences, one of each context, and signals the pair before, while anybody reads. */
static void add_pairs(void *arg)
{
	struct mm_fence *last[2] = { NULL, NULL };

	for (unsigned int n = 1; atomic_load(&n_reading); n++) {
		struct mm_fence *pair[2] = { new_fence(100, n), new_fence(200, n) };

		assert_int_equal(mm_resv_lock(&r, false), 0);
		assert_int_equal(mm_resv_reserve_locked(&r, 2), 0);
		mm_resv_add_locked(&r, pair[0], MM_RESV_WRITE);
		mm_resv_add_locked(&r, pair[1], MM_RESV_READ);
		mm_resv_unlock(&r);
		for (unsigned int i = 0; i < 2; i++) {
			if (last[i])
				mm_fence_signal(last[i], 0);
			mm_fence_put(last[i]);
			last[i] = pair[i];
		}
	}
	for (unsigned int i = 0; i < 2 && last[i]; i++) {
		mm_fence_signal(last[i], 0);
		mm_fence_put(last[i]);
	}
}

/* At each moment there is at most one fence of a context, and f[0] always. */
static void read_often(void *arg)
{
	for (unsigned int round = 0; round < N_READS; round++) {
		struct mm_fence **fences;
		unsigned int n_of[2] = { 0, 0 }, n_first = 0;
		size_t n;

		assert_int_equal(mm_resv_get_fences(&r, MM_RESV_READ, &fences, &n), 0);
		for (size_t i = 0; i < n; i++) {
			n_first += fences[i] == f[0];
			n_of[0] += fences[i]->context == 100;
			n_of[1] += fences[i]->context == 200;
			mm_fence_put(fences[i]);
		}
		vkf_free(fences);
		assert_int_equal(n_first, 1);
		assert_in_range(n_of[0], 0, 1);
		assert_in_range(n_of[1], 0, 1);
		assert_false(mm_resv_test_signalled(&r, MM_RESV_KERNEL));
		assert_int_equal(mm_resv_wait(&r, MM_RESV_KERNEL, 0, false), -ETIMEDOUT);
	}
	atomic_fetch_sub(&n_reading, 1);
}

static void fences_are_read_while_others_add_and_signal(void **state)
{
	struct vkf_task *task[1 + N_READERS];

	vkf_env_set(NULL); /* which counts for one thread only */
	atomic_store(&n_reading, N_READERS);
	add(0, MM_RESV_KERNEL);
	assert_int_equal(vkf_spawn("adder", add_pairs, NULL, &task[0]), 0);
	for (unsigned int i = 1; i <= N_READERS; i++)
		assert_int_equal(vkf_spawn("reader", read_often, NULL, &task[i]), 0);
	for (unsigned int i = 0; i <= N_READERS; i++)
		vkf_join(task[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_each_unsignalled_fence_that_the_usage_asks_for),
		TEST(tells_signalled_from_not),
		TEST(works_with_the_lock_held_too),
		TEST(begins_again_when_a_fence_is_added_meanwhile),
		TEST(says_that_it_began_again_when_nothing_is_left),
		TEST(holds_the_fence_it_gave_last),
		TEST(gets_all_fences),
		TEST(gets_none_that_was_gone_before_it_ended),
		TEST(gets_them_as_nothing_one_or_an_array),
		TEST(copies_fences_with_their_usages),
		TEST(copies_nothing_too),
		TEST(fences_are_read_while_others_add_and_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
