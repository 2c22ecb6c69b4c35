/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/semaphore.h"

#define WORD FX_VA(FX_DATA)

static struct gpu_worker *worker(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = &fx->engine->worker[0];

	gpu_worker_enter(w);
	return w;
}

static void test_each_signal_lets_one_waiter_through(void **state)
{
	struct gpu_worker *w = worker(state);
	uint64_t *word = fx_u64(*state, FX_DATA);

	assert_int_equal(gpu_semaphore_wait(w, 0, WORD), -EAGAIN);
	assert_int_equal(gpu_semaphore_signal(w, 0, WORD, false), 0);
	assert_int_equal(gpu_semaphore_signal(w, 0, WORD + 5, false), 0);
	assert_int_equal(*word, 2);
	assert_int_equal(gpu_semaphore_wait(w, 0, WORD + 7), 0);
	assert_int_equal(gpu_semaphore_wait(w, 0, WORD), 0);
	assert_int_equal(*word, 0);
	assert_int_equal(gpu_semaphore_wait(w, 0, WORD), -EAGAIN);
	gpu_worker_leave(w);
}

static void test_a_written_one_counts_once(void **state)
{
	struct gpu_worker *w = worker(state);
	uint64_t *word = fx_u64(*state, FX_DATA);

	*word = 5;
	assert_int_equal(gpu_semaphore_signal(w, 0, WORD, true), 0);
	assert_int_equal(*word, 1);
	gpu_worker_leave(w);
}

static void test_it_needs_memory_that_it_may_write(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = worker(state);

	fx_map(fx, 0, WORD, FX_DATA | GPU_BACKING_ARENA, FX_RO);
	*fx_u64(fx, FX_DATA) = 3;
	assert_int_equal(gpu_semaphore_wait(w, 0, 0x1000), -EFAULT);
	assert_int_equal(gpu_semaphore_signal(w, 0, 0x1000, false), -EFAULT);
	assert_int_equal(gpu_semaphore_wait(w, 0, WORD), -EFAULT);
	assert_int_equal(gpu_semaphore_signal(w, 0, WORD, true), -EFAULT);
	assert_int_equal(*fx_u64(fx, FX_DATA), 3);
	gpu_worker_leave(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_each_signal_lets_one_waiter_through),
		FX_TEST(test_a_written_one_counts_once),
		FX_TEST(test_it_needs_memory_that_it_may_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
