/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/clock.h"
#include "spec/sdma_v4.h"

#define NOP(n) ((uint32_t)(n) << 16)
#define COPY(src, dst, len) 1, (len)-1, 0, FX_ADDR(src), FX_ADDR(dst)
#define FENCE(addr, v) 5, FX_ADDR(addr), (v)
#define TRAP(ctx) 6, (ctx)
#define POLL(func, addr, v, mask) \
	8u | (func) << 28 | 1u << 31, FX_ADDR(addr), (v), (mask), 0xfff0004
#define ATOMIC(op, addr, v) 10u | (op) << 25, FX_ADDR(addr), FX_ADDR(v), 0, 0, 0
#define DST FX_VA(FX_DATA)

static uint64_t rptr(struct fixture *fx)
{
	assert_int_equal(*fx_u64(fx, FX_RPTR), fx->ctrl->queue[0].rptr);
	return *fx_u64(fx, FX_RPTR);
}

static void test_nop_skips_the_words_it_counts(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, NOP(2), 0xdeadbeef, 0xdeadbeef, FENCE(DST, 7));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
	assert_int_equal(rptr(fx), 7 * 4);
	assert_int_equal(fx->ctrl->queue[0].packets, 2);
}

static void test_copy_linear_copies_its_bytes_and_no_more(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, FX_DATA, 10000, 1);
	FX_SDMA(fx, COPY(DST, FX_VA(FX_DATA + 0x10003), 10000));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, FX_DATA + 0x10003, 10000, 1);
	assert_int_equal(fx->arena[FX_DATA + 0x10003 - 1], 0);
	assert_int_equal(fx->arena[FX_DATA + 0x10003 + 10000], 0);
	assert_int_equal(rptr(fx), 28);
}

static void test_atomic_adds_64_bits(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_DATA) = UINT64_C(0x100000000);
	FX_SDMA(fx, ATOMIC(47u, DST, UINT64_MAX));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), UINT64_C(0xffffffff));
}

static void test_timestamp_is_the_gpu_clock(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx->now_ns = UINT64_C(40) * 365 * 86400 * 1000000000;
	FX_SDMA(fx, 13u | 2u << 8, FX_ADDR(DST + 5));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), UINT64_C(40) * 365 * 86400 * 100000000);
}

static void test_poll_waits_until_memory_changes(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, POLL(3u, DST, 5, 0xff), FENCE(DST + 8, 1));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_false(gpu_engine_pending(fx->engine));
	*fx_words(fx, FX_DATA) = 0x605;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 1);
}

static void test_trap_raises_its_context(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, TRAP(0xf0000123));
	fx_run(fx);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 0x123);
	fx_expect_no_irq(fx);
	assert_int_equal(fx->irq_calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_nop_skips_the_words_it_counts),
		FX_TEST(test_copy_linear_copies_its_bytes_and_no_more),
		FX_TEST(test_atomic_adds_64_bits),
		FX_TEST(test_timestamp_is_the_gpu_clock),
		FX_TEST(test_poll_waits_until_memory_changes),
		FX_TEST(test_trap_raises_its_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
