/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

#include "mm/fence_array.h"
#include "mm/fence_chain.h"
#include "mm/fence_merge.h"

#define N           6
#define NEW_CONTEXT 900

static struct mm_fence *f[N];

static struct mm_fence *new_array(struct mm_fence *const *fences, size_t n)
{
	struct mm_fence *array;

	assert_int_equal(mm_fence_array_create(fences, n, 800, 1, false, &array), 0);
	return array;
}

/* Takes the references to @prev and @work over. */
static struct mm_fence *new_link(struct mm_fence *prev, struct mm_fence *work)
{
	struct mm_fence_chain *l = mm_fence_chain_alloc();

	assert_non_null(l);
	mm_fence_chain_init(l, prev, work, prev ? prev->seqno + 1 : 1, 700);
	return &l->base;
}

/* Exactly fences @first to @last (0 to N - 1), each once. */
static void expect_unwrapped(struct mm_fence *head, unsigned int first, unsigned int last)
{
	unsigned int n[N] = { 0 };
	struct mm_fence_unwrap it;
	struct mm_fence *pos;

	mm_fence_unwrap_for_each(pos, &it, head)
	{
		unsigned int i = 0;

		while (i < N && f[i] != pos)
			i++;
		assert_in_range(i, 0, N - 1);
		n[i]++;
	}
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(n[i], i >= first && i <= last);
}

static void unwrapping_a_fence_gives_it_and_nothing_gives_nothing(void **state)
{
	new_fences(f, N);
	expect_unwrapped(f[2], 2, 2);
	expect_unwrapped(NULL, N, N);
	put_fences(f, N);
}

static void unwrapping_goes_through_an_array(void **state)
{
	struct mm_fence *array;

	new_fences(f, N);
	array = new_array(f, 3);
	expect_unwrapped(array, 0, 2);
	mm_fence_put(array);
	put_fences(f, N);
}

static void unwrapping_goes_through_a_chain_and_the_arrays_in_it(void **state)
{
	struct mm_fence *chain;

	new_fences(f, N);
	chain = new_link(mm_fence_get(f[0]), mm_fence_get(f[1]));
	chain = new_link(chain, new_array(f + 2, 3));
	chain = new_link(chain, mm_fence_get(f[5]));
	expect_unwrapped(chain, 0, 5);
	mm_fence_put(chain);
	chain = new_link(NULL, new_array(f, 2));
	chain = new_link(chain, new_array(f + 2, 2));
	expect_unwrapped(chain, 0, 3);
	mm_fence_put(chain);
	put_fences(f, N);
}

static void unwrapping_may_end_early(void **state)
{
	struct mm_fence_unwrap it;
	struct mm_fence *chain;

	new_fences(f, N);
	chain = new_link(mm_fence_get(f[0]), new_array(f + 1, 2));
	assert_ptr_equal(mm_fence_unwrap_first(&it, chain), f[1]);
	mm_fence_unwrap_end(&it);
	mm_fence_put(chain);
	put_fences(f, N);
}

static struct mm_fence *merge(struct mm_fence *const *fences, size_t n)
{
	struct mm_fence *merged = NULL;

	assert_int_equal(mm_fence_merge(fences, n, NEW_CONTEXT, &merged), 0);
	return merged;
}

static void merging_one_gives_it_back(void **state)
{
	struct mm_fence *some[] = { NULL, NULL, NULL };
	struct mm_fence *merged;

	new_fences(f, N);
	some[1] = f[3];
	merged = merge(some, 3);
	assert_ptr_equal(merged, f[3]);
	assert_int_equal(vkf_ref_read(&f[3]->ref), 2);
	mm_fence_put(merged);
	put_fences(f, N);
}

static void merging_several_gives_an_array_of_them(void **state)
{
	struct mm_fence *merged;

	new_fences(f, N);
	merged = merge(f, 4);
	assert_int_equal(mm_fence_array_len(merged), 4);
	assert_int_equal(merged->context, NEW_CONTEXT);
	expect_unwrapped(merged, 0, 3);
	for (unsigned int i = 0; i < 4; i++) {
		assert_false(mm_fence_poll(merged));
		mm_fence_signal(f[i], 0);
	}
	assert_true(mm_fence_poll(merged));
	mm_fence_put(merged);
	put_fences(f, N);
}

static void merging_leaves_out_what_is_signalled(void **state)
{
	struct mm_fence *merged;

	new_fences(f, N);
	mm_fence_signal(f[0], 0);
	to_test(f[1])->is_done = true;
	merged = merge(f, 3);
	assert_ptr_equal(merged, f[2]);
	mm_fence_put(merged);
	put_fences(f, N);
}

static void merging_what_is_all_signalled_gives_a_stub_of_the_latest_time(void **state)
{
	struct mm_fence *merged;

	new_fences(f, N);
	mm_fence_signal_at(f[0], 0, 100);
	mm_fence_signal_at(f[1], -EIO, 300);
	mm_fence_signal_at(f[2], 0, 200);
	merged = merge(f, 3);
	assert_int_equal(mm_fence_status(merged), 1);
	assert_int_equal(mm_fence_timestamp(merged), 300);
	assert_int_equal(merged->context, 0);
	mm_fence_put(merged);
	merged = merge(NULL, 0);
	assert_int_equal(mm_fence_status(merged), 1);
	mm_fence_put(merged);
	put_fences(f, N);
}

static void merging_keeps_the_latest_of_each_context(void **state)
{
	struct mm_fence *in[4], *merged;

	f[0] = in[1] = new_fence(5, 2);
	f[1] = in[3] = new_fence(6, 9);
	f[2] = in[0] = new_fence(5, 1);
	f[3] = in[2] = new_fence(6, 8);
	f[4] = f[5] = NULL;
	merged = merge(in, 4);
	expect_unwrapped(merged, 0, 1);
	mm_fence_put(merged);
	put_fences(f, 4);
}

static void merging_unwraps_and_makes_one_flat_array(void **state)
{
	struct mm_fence *in[3], *merged;

	new_fences(f, N);
	in[0] = new_array(f, 2);
	in[1] = new_link(new_link(NULL, mm_fence_get(f[1])), new_array(f + 2, 2));
	in[2] = mm_fence_get(f[4]);
	merged = merge(in, 3);
	assert_int_equal(mm_fence_array_len(merged), 5);
	expect_unwrapped(merged, 0, 4);
	mm_fence_put(merged);
	put_fences(in, 3);
	put_fences(f, N);
}

static void without_memory_nothing_is_merged(void **state)
{
	struct mm_fence *merged, *chain;
	unsigned int n = 0;
	int e;

	new_fences(f, N);
	chain = new_link(mm_fence_get(f[4]), mm_fence_get(f[5]));
	do {
		struct mm_fence *in[] = { f[0], f[1], f[2], f[3], chain };

		merged = (void *)state;
		fail_alloc(++n);
		e = mm_fence_merge(in, 5, NEW_CONTEXT, &merged);
		fail_alloc(0);
		if (e) {
			assert_int_equal(e, -ENOMEM);
			assert_ptr_equal(merged, state);
			assert_int_equal(vkf_ref_read(&f[0]->ref), 1);
		}
	} while (e);
	assert_true(n > 2);
	mm_fence_put(merged);
	mm_fence_put(chain);
	put_fences(f, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCE_TEST(unwrapping_a_fence_gives_it_and_nothing_gives_nothing),
		FENCE_TEST(unwrapping_goes_through_an_array),
		FENCE_TEST(unwrapping_goes_through_a_chain_and_the_arrays_in_it),
		FENCE_TEST(unwrapping_may_end_early),
		FENCE_TEST(merging_one_gives_it_back),
		FENCE_TEST(merging_several_gives_an_array_of_them),
		FENCE_TEST(merging_leaves_out_what_is_signalled),
		FENCE_TEST(merging_what_is_all_signalled_gives_a_stub_of_the_latest_time),
		FENCE_TEST(merging_keeps_the_latest_of_each_context),
		FENCE_TEST(merging_unwraps_and_makes_one_flat_array),
		FENCE_TEST(without_memory_nothing_is_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
