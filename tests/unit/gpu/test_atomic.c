/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include "fixture.h"
#include "gpu/atomic.h"
#include "gpu/mem_direct.h"

#define WORD FX_VA(FX_DATA + 8)
#define WIDE 0x20u

enum { FCMPSWAP = 1, FMIN, FMAX, FLUSH = 8 };
enum { SWAP = 7, CMPSWAP, ADD = 15, SUB, SMIN, UMIN, SMAX, UMAX, AND, OR, XOR, INC, DEC };

static int setup(void **state)
{
	struct fixture *fx;

	fx_setup(state);
	fx = *state;
	gpu_worker_enter(&fx->engine->worker[0]);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	gpu_worker_leave(&fx->engine->worker[0]);
	return fx_teardown(state);
}

static int run(struct fixture *fx, uint32_t op, uint64_t src, uint64_t cmp, uint64_t *ret_old)
{
	const struct gpu_atomic a = { .op = op, .va = WORD, .src = src, .cmp = cmp };

	return gpu_atomic_run(&fx->engine->worker[0], 0, &a, ret_old);
}

/* Check that @op makes @want of @old, leaves its neighbours alone, and says what was there. */
static void expect(struct fixture *fx, uint32_t op, uint64_t old, uint64_t src, uint64_t want)
{
	uint64_t found = 0;

	for (unsigned int unused = 0; unused <= 0x40; unused += 0x40) {
		fx_u64(fx, FX_DATA)[0] = fx_u64(fx, FX_DATA)[2] = UINT64_C(0x1111111111111111);
		fx_u64(fx, FX_DATA)[1] = old;
		assert_int_equal(run(fx, op | unused, src, 0, &found), 0);
		assert_int_equal(fx_u64(fx, FX_DATA)[1], want);
		assert_int_equal(fx_u64(fx, FX_DATA)[0], UINT64_C(0x1111111111111111));
		assert_int_equal(fx_u64(fx, FX_DATA)[2], UINT64_C(0x1111111111111111));
		assert_int_equal(found, op & WIDE ? old : (uint32_t)old);
	}
}

static void test_words_of_32_bits(void **state)
{
	static const struct {
		uint32_t op, old, src, want;
	} t[] = {
		{ SWAP, 1, 2, 2 },
		{ ADD, 0xffffffff, 2, 1 },
		{ SUB, 1, 2, 0xffffffff },
		{ SMIN, 1, 0xffffffff, 0xffffffff },
		{ SMIN, 0x80000000, 5, 0x80000000 },
		{ UMIN, 1, 0xffffffff, 1 },
		{ SMAX, 1, 0xffffffff, 1 },
		{ SMAX, 0x80000000, 0xfffffff0, 0xfffffff0 },
		{ UMAX, 1, 0xffffffff, 0xffffffff },
		{ AND, 0xff00, 0x0ff0, 0x0f00 },
		{ OR, 0xff00, 0x0ff0, 0xfff0 },
		{ XOR, 0xff00, 0x0ff0, 0xf0f0 },
		{ INC, 4, 5, 5 },
		{ INC, 5, 5, 0 },
		{ INC, 6, 5, 0 },
		{ DEC, 5, 5, 4 },
		{ DEC, 0, 5, 5 },
		{ DEC, 6, 5, 5 },
	};
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(t); i++)
		expect(fx, t[i].op, UINT64_C(0x7700000000) | t[i].old,
		       UINT64_C(0x8800000000) | t[i].src, UINT64_C(0x7700000000) | t[i].want);
}

static void test_words_of_64_bits(void **state)
{
	static const struct {
		uint32_t op;
		uint64_t old, src, want;
	} t[] = {
		{ SWAP, 1, UINT64_C(0x200000000), UINT64_C(0x200000000) },
		{ ADD, UINT32_MAX, 1, UINT64_C(0x100000000) },
		{ SUB, 0, 1, UINT64_MAX },
		{ SMIN, UINT32_MAX, UINT64_MAX, UINT64_MAX },
		{ UMIN, UINT32_MAX, UINT64_MAX, UINT32_MAX },
		{ SMAX, UINT32_MAX, UINT64_MAX, UINT32_MAX },
		{ UMAX, UINT32_MAX, UINT64_MAX, UINT64_MAX },
		{ AND, UINT64_C(0xf000000001), UINT64_C(0x1000000011), UINT64_C(0x1000000001) },
		{ OR, UINT64_C(0xf000000001), UINT64_C(0x1000000010), UINT64_C(0xf000000011) },
		{ XOR, UINT64_C(0xf000000001), UINT64_C(0x1000000011), UINT64_C(0xe000000010) },
		{ INC, UINT32_MAX, UINT64_MAX, UINT64_C(0x100000000) },
		{ INC, UINT64_MAX, UINT64_MAX, 0 },
		{ DEC, UINT64_C(0x100000000), UINT64_MAX, UINT32_MAX },
		{ DEC, 0, UINT64_MAX, UINT64_MAX },
	};
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(t); i++)
		expect(fx, t[i].op | WIDE, t[i].old, t[i].src, t[i].want);
}

static void test_a_comparison_decides_about_the_swap(void **state)
{
	struct fixture *fx = *state;
	uint64_t old;

	fx_u64(fx, FX_DATA)[1] = UINT64_C(0x900000005);
	assert_int_equal(run(fx, CMPSWAP, 7, UINT64_C(0x100000005), &old), 0);
	assert_int_equal(fx_u64(fx, FX_DATA)[1], UINT64_C(0x900000007));
	assert_int_equal(old, 5);
	assert_int_equal(run(fx, CMPSWAP, 8, 5, &old), 0);
	assert_int_equal(old, 7);
	assert_int_equal(run(fx, CMPSWAP | WIDE, 8, 7, &old), 0);
	assert_int_equal(old, UINT64_C(0x900000007));
	assert_int_equal(fx_u64(fx, FX_DATA)[1], UINT64_C(0x900000007));
	assert_int_equal(run(fx, CMPSWAP | WIDE, 8, UINT64_C(0x900000007), &old), 0);
	assert_int_equal(fx_u64(fx, FX_DATA)[1], 8);
}

static void test_floats_of_32_bits(void **state)
{
	/* 1.0, -1.0, the two zeros, denormal numbers, a NaN, infinity */
	enum { ONE = 0x3f800000, MINUS = (int)0xbf800000, NAN32 = 0x7fc00000, INF = 0x7f800000 };
	static const struct {
		uint32_t op, old, src, want;
	} t[] = {
		{ FMIN, ONE, (uint32_t)MINUS, (uint32_t)MINUS },
		{ FMIN, (uint32_t)MINUS, ONE, (uint32_t)MINUS },
		{ FMIN, 0xc0000000, (uint32_t)MINUS, 0xc0000000 },
		{ FMAX, (uint32_t)MINUS, ONE, ONE },
		{ FMAX, INF, ONE, INF },
		{ FMAX, ONE, INF, INF },
		{ FMIN, ONE, NAN32, ONE },
		{ FMAX, NAN32, ONE, NAN32 },
		{ FMAX, 0xffc00000, ONE, 0xffc00000 },
		/* Zeros are equal, so the word stays. */
		{ FMIN, 0, 0x80000000, 0 },
		{ FMAX, 0x80000000, 0, 0x80000000 },
		{ FMIN, 2, 1, 1 },
		{ FMAX, 1, 2, 2 },
		{ FMAX, 0x80000001, 1, 1 },
		{ FMIN + FLUSH, ONE, 1, 0 },
		{ FMIN + FLUSH, ONE, 0x80000001, 0x80000000 },
		{ FMAX + FLUSH, 5, 7, 0 },
		{ FMAX + FLUSH, 0x00800000, 1, 0x00800000 },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(t); i++)
		expect(*state, t[i].op, UINT64_C(0x2222222200000000) | t[i].old, t[i].src,
		       UINT64_C(0x2222222200000000) | t[i].want);
}

static void test_floats_of_64_bits(void **state)
{
	const uint64_t one = UINT64_C(0x3ff0000000000000), minus = one | UINT64_C(1) << 63;
	const uint64_t nan = UINT64_C(0x7ff0000000000001), inf = nan - 1;

	expect(*state, FMIN | WIDE, one, minus, minus);
	expect(*state, FMAX | WIDE, minus, one, one);
	expect(*state, FMAX | WIDE, one, nan, one);
	expect(*state, FMAX | WIDE, one, inf, inf);
	expect(*state, FMIN | WIDE, UINT64_C(1) << 63, minus, minus);
	expect(*state, (FMIN + FLUSH) | WIDE, one, UINT64_C(1) << 51, 0);
}

static void test_a_comparison_of_floats_decides_about_the_swap(void **state)
{
	struct fixture *fx = *state;
	static const struct {
		uint32_t op, old, cmp;
		bool swaps;
	} t[] = {
		{ FCMPSWAP, 0x3f800000, 0x3f800000, true },
		{ FCMPSWAP, 0x3f800000, 0xbf800000, false },
		{ FCMPSWAP, 0, 0x80000000, true },
		{ FCMPSWAP, 0x7fc00000, 0x7fc00000, false },
		{ FCMPSWAP, 1, 2, false },
		{ FCMPSWAP + FLUSH, 1, 2, true },
		{ FCMPSWAP + FLUSH, 1, 0x00800000, false },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(t); i++) {
		const struct gpu_atomic a = { .op = t[i].op, .cmp = t[i].cmp };
		uint64_t old;

		fx_u64(fx, FX_DATA)[1] = t[i].old;
		assert_int_equal(run(fx, t[i].op, 0x40000000, t[i].cmp, &old), 0);
		assert_int_equal(old, t[i].old);
		assert_int_equal(gpu_atomic_matched(&a, old), t[i].swaps);
		if (t[i].swaps)
			assert_int_equal(fx_u64(fx, FX_DATA)[1], 0x40000000);
		else
			assert_int_not_equal(fx_u64(fx, FX_DATA)[1], 0x40000000);
	}
}

static void test_integers_match_in_the_width_of_the_operation(void **state)
{
	const struct gpu_atomic narrow = { .op = CMPSWAP, .cmp = UINT64_C(0x900000007) };
	const struct gpu_atomic wide = { .op = CMPSWAP | WIDE, .cmp = UINT64_C(0x900000007) };

	assert_true(gpu_atomic_matched(&narrow, 7));
	assert_false(gpu_atomic_matched(&wide, 7));
	assert_true(gpu_atomic_matched(&wide, UINT64_C(0x900000007)));
}

static void test_no_other_number_is_known(void **state)
{
	unsigned int n = 0;

	for (uint32_t op = 0; op < 0x80; op++)
		n += gpu_atomic_known(op);
	assert_int_equal(n, 19 * 4);
	assert_false(gpu_atomic_known(0) || gpu_atomic_known(4) || gpu_atomic_known(0x1a) ||
		     gpu_atomic_known(0x2c) || gpu_atomic_known(0x4e));
	assert_true(gpu_atomic_known(0x2f) && gpu_atomic_wide(0x2f) && !gpu_atomic_wide(0x4f));
	assert_true(gpu_atomic_compares(0x68) && !gpu_atomic_compares(0x67));
	assert_true(gpu_atomic_compares(0x21) && gpu_atomic_compares(0x09));
	assert_false(gpu_atomic_compares(0x22) || gpu_atomic_compares(0x0a));
}

static void test_it_needs_to_read_and_to_write(void **state)
{
	struct fixture *fx = *state;
	uint64_t old = 77;

	fx_map(fx, 0, FX_VA(FX_DATA), FX_DATA | GPU_BACKING_ARENA, FX_RO);
	assert_int_equal(run(fx, SWAP, 1, 0, &old), -EFAULT);
	assert_int_equal(fx->engine->worker[0].fault.status, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	/* A comparison that fails writes nothing, and needs the right all the same. */
	assert_int_equal(run(fx, CMPSWAP | WIDE, 1, 5, &old), -EFAULT);
	assert_int_equal(old, 77);
}

static void *add_many(void *word)
{
	for (unsigned int i = 0; i < 200000; i++)
		__atomic_fetch_add((uint32_t *)word, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void test_none_of_the_programs_own_is_lost(void **state)
{
	struct fixture *fx = *state;
	uint32_t done = 0;
	pthread_t thread;
	uint64_t old;

	assert_int_equal(pthread_create(&thread, NULL, add_many, fx_words(fx, FX_DATA + 8)), 0);
	for (unsigned int i = 0; i < 100000; i++)
		done += run(fx, ADD, 1, 0, &old) == 0;
	pthread_join(thread, NULL);
	assert_true(done > 0);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 200000 + done);
}

static int always_another(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	++*expected;
	return 0;
}

static void test_a_word_that_never_rests_is_tried_again_later(void **state)
{
	struct fixture *fx = *state;
	struct gpu_mem_ops ops = *fx->engine->mem;
	uint64_t old = 77;

	ops.cas32 = always_another;
	fx->engine->mem = &ops;
	assert_int_equal(run(fx, ADD, 1, 0, &old), -EAGAIN);
	assert_int_equal(old, 77);
}

#define ATOMIC_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATOMIC_TEST(test_words_of_32_bits),
		ATOMIC_TEST(test_words_of_64_bits),
		ATOMIC_TEST(test_a_comparison_decides_about_the_swap),
		ATOMIC_TEST(test_integers_match_in_the_width_of_the_operation),
		ATOMIC_TEST(test_a_comparison_of_floats_decides_about_the_swap),
		ATOMIC_TEST(test_floats_of_64_bits),
		ATOMIC_TEST(test_floats_of_32_bits),
		ATOMIC_TEST(test_no_other_number_is_known),
		ATOMIC_TEST(test_it_needs_to_read_and_to_write),
		ATOMIC_TEST(test_none_of_the_programs_own_is_lost),
		ATOMIC_TEST(test_a_word_that_never_rests_is_tried_again_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
