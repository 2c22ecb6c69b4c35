/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define DST FX_VA(FX_DATA)
#define REG 0xc200u

/* Append packets to the ring of slot 0, a PM4 queue. */
static void submit(struct fixture *fx, const uint32_t *words, unsigned int n)
{
	uint64_t wptr = *fx_u64(fx, FX_WPTR);

	for (unsigned int i = 0; i < n; i++)
		fx_words(fx, FX_RING)[(wptr + i) % (FX_RING_BYTES / 4)] = words[i];
	*fx_u64(fx, FX_WPTR) = wptr + n;
}

#define SUBMIT(fx, ...)                                                                            \
	submit(fx, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static int setup(void **state)
{
	fx_setup(state);
	fx_queue(*state, GPU_QUEUE_PM4);
	return 0;
}

static void expect_done(struct fixture *fx)
{
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_words(fx, FX_RPTR), *fx_u64(fx, FX_WPTR));
}

static void expect_refused(struct fixture *fx, uint32_t word)
{
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, word, (word >> 8) & 0xff);
}

static void test_registers_are_written_and_read_back(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_SET_UCONFIG(REG - 0xc000, 2), 0x11, 0x22, P_WRITE(0, REG + 2, 2), 0x33, 0x44,
	       P_COPY_DATA(5, 0, 1, UINT64_C(0x6600000055), REG + 4), P_SET_SH(0x27e, 2), 0x77,
	       0x88, P_COPY_DATA(0, 5, 1, REG, DST), P_COPY_DATA(0, 5, 1, REG + 2, DST + 8),
	       P_COPY_DATA(0, 5, 1, REG + 4, DST + 16), P_COPY_DATA(0, 5, 0, 0x2e7e, DST + 24),
	       P_COPY_DATA(0, 5, 0, 0x2e7f, DST + 28), P_COPY_DATA(0, 5, 1, 0x1234, DST + 32));
	fx_u64(fx, FX_DATA)[4] = 1;
	expect_done(fx);
	assert_int_equal(fx_u64(fx, FX_DATA)[0], UINT64_C(0x2200000011));
	assert_int_equal(fx_u64(fx, FX_DATA)[1], UINT64_C(0x4400000033));
	assert_int_equal(fx_u64(fx, FX_DATA)[2], UINT64_C(0x6600000055));
	assert_int_equal(fx_u64(fx, FX_DATA)[3], UINT64_C(0x8800000077));
	assert_int_equal(fx_u64(fx, FX_DATA)[4], 0);
}

static void test_writes_to_one_register_leave_the_last(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x37, 7), 1u << 16, REG, 0, 1, 2, 3, P_COPY_DATA(0, 5, 1, REG, DST));
	expect_done(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 3);
}

static void test_privileged_registers_are_not_written(void **state)
{
	static const uint32_t bad[][6] = {
		{ P_WRITE(0, 0x2dff, 2), 1, 2 },     { P_WRITE(0, 0xe000, 2), 1, 2 },
		{ P_WRITE(0, 0xdfff, 2), 1, 2 },     { P_COPY_DATA(5, 0, 1, 1, 0x2e7f) },
		{ P_COPY_DATA(5, 0, 0, 1, 0x1234) }, { P_SET_UCONFIG(0x1fff, 2), 1, 2 },
		{ P_SET_UCONFIG(0x2000, 2), 1, 2 },
	};
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_PM4);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		submit(fx, bad[i], 6);
		expect_refused(fx, bad[i][0]);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

static void test_what_goes_nowhere_is_read(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x50, 7), 2u << 20, FX_ADDR(DST), 0, 0, 20000);
	expect_done(fx);
	assert_int_equal(fx->ctrl->queue[0].packets, 1);
	SUBMIT(fx, P_HEADER(0x50, 7), 2u << 20, FX_ADDR(0x5000), 0, 0, 8);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0x5000, GPU_FAULT_NOT_PRESENT);
}

static void test_nothing_is_filled_nowhere(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x50, 7), 2u << 20 | 2u << 29, 7, 0, 0, 0, 8);
	expect_refused(fx, P_HEADER(0x50, 7));
}

static void test_a_floating_point_atomic_is_one(void **state)
{
	struct fixture *fx = *state;

	*fx_words(fx, FX_DATA) = 0x3f800000;
	SUBMIT(fx, P_ATOMIC(2, DST, 0xbf800000), P_COPY_DATA(6, 5, 0, 0, DST + 8));
	expect_done(fx);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 0xbf800000);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 0x3f800000);
}

static void test_the_drivers_mask_limits_what_is_set(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];
	const uint32_t *sh = fx->engine->queue[0].sh;

	cq->cu_mask[0] = 0x00ff00ff;
	cq->cu_mask[1] = 0xff;
	SUBMIT(fx, P_HEADER(0x9b, 4), 0x215 | 3u << 28, 0xabcd, 0x0ff00ff0, P_HEADER(0x9b, 3),
	       0x217, 0xfff);
	expect_done(fx);
	assert_int_equal(sh[0x15], 0xabcd);
	assert_int_equal(sh[0x16], 0x00f000f0);
	assert_int_equal(sh[0x17], 0xfff);
	SUBMIT(fx, P_HEADER(0x9b, 3), 0x216 | 1u << 28, 1);
	expect_refused(fx, P_HEADER(0x9b, 3));
}

static void test_an_atomic_keeps_what_was_there(void **state)
{
	struct fixture *fx = *state;

	fx_u64(fx, FX_DATA)[0] = UINT64_C(0x500000006);
	SUBMIT(fx, P_ATOMIC(0x27, DST + 5, 9), P_COPY_DATA(6, 5, 1, 0, DST + 8),
	       P_ATOMIC(0x67, DST, 10), P_COPY_DATA(6, 5, 1, 0, DST + 16),
	       P_ATOMIC(0x0f, DST + 7, 1), P_COPY_DATA(6, 5, 0, 0, DST + 24));
	expect_done(fx);
	assert_int_equal(fx_u64(fx, FX_DATA)[1], UINT64_C(0x500000006));
	assert_int_equal(fx_u64(fx, FX_DATA)[2], UINT64_C(0x500000006));
	assert_int_equal(fx_u64(fx, FX_DATA)[0], UINT64_C(0x10000000a));
	assert_int_equal(fx_u64(fx, FX_DATA)[3], 0);
}

static void test_an_atomic_may_wait_for_its_comparison(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x1e, 9), 0x08 | 1u << 8, FX_ADDR(DST), 5, 0, 3, 0, 0,
	       P_WRITE(5, DST + 4, 1), 1);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 0);
	*fx_words(fx, FX_DATA) = 3;
	expect_done(fx);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 5);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 1);
}

static void test_an_atomic_that_nobody_knows_is_refused(void **state)
{
	static const uint32_t bad[] = { 0x04, 0x1a, 0x2f | 1u << 8, 0x2f | 4u << 8 };
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_PM4);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		SUBMIT(fx, P_HEADER(0x1e, 9), bad[i], FX_ADDR(DST), 1, 0, 0, 0, 0);
		expect_refused(fx, P_HEADER(0x1e, 9));
		assert_int_equal(*fx_u64(fx, FX_DATA), 0);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

static void test_a_new_queue_has_clean_registers(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	SUBMIT(fx, P_SET_SH(0x240, 1), 5, P_ATOMIC(0x27, DST, 9), P_ATOMIC(0x27, DST, 1));
	expect_done(fx);
	fx_want(fx, cq, GPU_WANT_NONE);
	cq->rptr = cq->packets = 0;
	*fx_u64(fx, FX_WPTR) = *fx_u64(fx, FX_RPTR) = 0;
	fx_want(fx, cq, GPU_WANT_RUN);
	SUBMIT(fx, P_COPY_DATA(0, 5, 0, 0x2e40, DST), P_COPY_DATA(6, 5, 1, 0, DST + 8));
	expect_done(fx);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 0);
	assert_int_equal(fx_u64(fx, FX_DATA)[1], 0);
}

#define DATA_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATA_TEST(test_registers_are_written_and_read_back),
		DATA_TEST(test_writes_to_one_register_leave_the_last),
		DATA_TEST(test_privileged_registers_are_not_written),
		DATA_TEST(test_the_drivers_mask_limits_what_is_set),
		DATA_TEST(test_a_floating_point_atomic_is_one),
		DATA_TEST(test_nothing_is_filled_nowhere),
		DATA_TEST(test_what_goes_nowhere_is_read),
		DATA_TEST(test_an_atomic_keeps_what_was_there),
		DATA_TEST(test_an_atomic_may_wait_for_its_comparison),
		DATA_TEST(test_an_atomic_that_nobody_knows_is_refused),
		DATA_TEST(test_a_new_queue_has_clean_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
