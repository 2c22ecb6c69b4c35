/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_MM_FENCE_FIXTURE_H
#define VKFD_TESTS_UNIT_MM_FENCE_FIXTURE_H

/**
 * DOC: Fences for tests
 *
 * They count themselves, so that a test sees what is still held, and tell what is
 * done to them. Whoever makes one has its reference.
 */
#include "mm_fixture.h"

struct test_fence {
	struct mm_fence base;
	atomic_uint n_enabled, n_polled;
	atomic_bool is_done; /* what polling says */
	bool enable_is_done; /* what enabling says */
};

static atomic_int n_test_fences;

static struct test_fence *to_test(struct mm_fence *f)
{
	return vkf_container_of(f, struct test_fence, base);
}

static bool test_fence_enable(struct mm_fence *f)
{
	atomic_fetch_add(&to_test(f)->n_enabled, 1);
	return !to_test(f)->enable_is_done;
}

static bool test_fence_poll(struct mm_fence *f)
{
	atomic_fetch_add(&to_test(f)->n_polled, 1);
	return atomic_load(&to_test(f)->is_done);
}

static void test_fence_release(struct mm_fence *f)
{
	atomic_fetch_sub(&n_test_fences, 1);
	free(to_test(f));
}

static const struct mm_fence_ops test_fence_ops = {
	.enable_signaling = test_fence_enable,
	.release = test_fence_release,
	.signalled = test_fence_poll,
};

__attribute__((unused)) static struct mm_fence *new_fence(uint64_t context, uint64_t seqno)
{
	struct test_fence *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	mm_fence_init(&t->base, &test_fence_ops, context, seqno);
	atomic_fetch_add(&n_test_fences, 1);
	return &t->base;
}

__attribute__((unused)) static void new_fences(struct mm_fence **fences, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fences[i] = new_fence(i + 1, 1);
}

__attribute__((unused)) static void put_fences(struct mm_fence **fences, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mm_fence_put(fences[i]);
}

/* struct test_cb - a callback that counts its calls */
struct test_cb {
	struct mm_fence_cb cb;
	atomic_uint n_calls;
};

__attribute__((unused)) static void test_called(struct mm_fence *f, struct mm_fence_cb *cb)
{
	atomic_fetch_add(&vkf_container_of(cb, struct test_cb, cb)->n_calls, 1);
}

/* Group setup and per-test teardown: no fence, and no memory of mm, is left behind. */
__attribute__((unused)) static int fence_setup(void **state)
{
	host_sched_install();
	n_live_allocs = 0;
	n_test_fences = 0;
	fail_alloc(0);
	return 0;
}

__attribute__((unused)) static int fence_teardown(void **state)
{
	assert_int_equal(n_test_fences, 0);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
	return 0;
}

#define FENCE_TEST(name) cmocka_unit_test_setup_teardown(name, fence_setup, fence_teardown)

#endif
