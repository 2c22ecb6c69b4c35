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

#define P_WAIT64(func, space, va, ref, mask)                                                       \
	P_HEADER(0x93, 9), (func) | (space) << 4, FX_ADDR(va), FX_ADDR(ref), FX_ADDR(mask), 4
#define P_COND_WRITE(how, va, ref, mask, dst, data)                                                \
	P_HEADER(0x45, 9), (how), FX_ADDR(va), (ref), (mask), FX_ADDR(dst), (data)
#define P_SEMAPHORE(va, how) P_HEADER(0x39, 4), FX_ADDR(va), (uint32_t)(how)
#define SIGNAL               (6u << 29)
#define WAIT                 (7u << 29)
#define MEM_TO_MEM           (1u << 4 | 1u << 8)

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

/* @packet, of @n words, is refused by a new queue and has written nothing. */
static void expect_refused(struct fixture *fx, const uint32_t *packet, unsigned int n)
{
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	cq->error = GPU_QERR_NONE;
	*fx_u64(fx, FX_WPTR) = 0;
	fx_queue(fx, GPU_QUEUE_PM4);
	submit(fx, packet, n);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, packet[0], packet[0] >> 8 & 0xff);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 0);
	assert_int_equal(*fx_u64(fx, FX_DATA + 8), 0);
	fx_want(fx, cq, GPU_WANT_NONE);
	fx_run(fx);
}

static void test_a_wait_may_be_for_64_bits(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_DATA) = 5;
	SUBMIT(fx, P_WAIT64(3u, 1u, DST, UINT64_C(0x700000005), UINT64_C(0xfffffffff)),
	       P_WRITE(5, DST + 8, 1), 9);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*fx_u64(fx, FX_DATA) = UINT64_C(0x700000004);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 0);
	*fx_u64(fx, FX_DATA) = UINT64_C(0x3700000005);
	expect_done(fx);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 9);
}

static void test_a_comparison_of_64_bits_sees_the_high_half(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_DATA) = UINT64_C(0x100000000);
	SUBMIT(fx, P_WAIT64(6u, 1u, DST, UINT64_C(0xffffffff), UINT64_MAX));
	expect_done(fx);
}

static void test_two_registers_are_waited_for_at_once(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_SET_UCONFIG(REG - 0xc000, 1), 4,
	       P_WAIT64(3u, 0u, REG, UINT64_C(0x300000004), UINT64_MAX));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx->engine->uconfig[0][REG - 0xc000 + 1] = 3;
	expect_done(fx);
	/* One that is not kept is not. */
	SUBMIT(fx, P_WAIT64(3u, 0u, 0x1234, 5, UINT64_MAX));
	expect_done(fx);
}

static void test_malformed_waits_are_refused(void **state)
{
	static const uint32_t bad[][9] = {
		{ P_WAIT64(7u, 1u, DST, 0, 0) },
		{ P_WAIT64(3u, 2u, DST, 0, 0) },
		{ P_WAIT64(3u | 1u << 6, 1u, DST, 0, 0) },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		expect_refused(*state, bad[i], 9);
}

static void test_a_rewind_waits_to_be_made_valid(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x59, 2), 0, P_WRITE(5, DST, 1), 7);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_words(fx, FX_RPTR), 0);
	fx_words(fx, FX_RING)[1] = 1u << 31;
	expect_done(fx);
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
}

static void test_a_write_may_have_a_condition(void **state)
{
	struct fixture *fx = *state;

	*fx_words(fx, FX_DATA) = 0x605;
	SUBMIT(fx, P_COND_WRITE(3 | MEM_TO_MEM, DST, 5, 0xff, DST + 4, 11),
	       P_COND_WRITE(4 | MEM_TO_MEM, DST, 5, 0xff, DST + 8, 12),
	       P_COND_WRITE(0 | MEM_TO_MEM, DST, 5, 0xff, DST + 12, 13),
	       P_COND_WRITE(5 | 1u << 4, DST, 6, 0xf00, REG, 14));
	expect_done(fx);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 11);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 13);
	assert_int_equal(fx->engine->uconfig[0][REG - 0xc000], 14);
	SUBMIT(fx, P_COND_WRITE(3 | 1u << 8, REG, 14, 0xffffffff, DST + 8, 15));
	expect_done(fx);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 15);
}

static void test_malformed_conditional_writes_are_refused(void **state)
{
	static const uint32_t bad[][9] = {
		{ P_COND_WRITE(7 | MEM_TO_MEM, DST, 0, 0, DST, 1) },
		{ P_COND_WRITE(1u << 4 | 2u << 8, DST, 0, 0, DST, 1) },
		{ P_COND_WRITE(1u << 4, DST, 0, 0, 0x1234, 1) }, /* a privileged register */
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		expect_refused(*state, bad[i], 9);
}

static void test_a_semaphore_counts(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_SEMAPHORE(DST, WAIT), P_WRITE(5, DST + 8, 1), 1);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*fx_u64(fx, FX_DATA) = 2;
	expect_done(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 1);
	SUBMIT(fx, P_SEMAPHORE(DST, SIGNAL));
	expect_done(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 2);
	SUBMIT(fx, P_SEMAPHORE(DST, SIGNAL | 1u << 20));
	expect_done(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 1);
}

static void test_malformed_semaphores_are_refused(void **state)
{
	static const uint32_t bad[][4] = {
		{ P_SEMAPHORE(DST, 5u << 29) },
		{ P_SEMAPHORE(DST, SIGNAL | 1u << 16) },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		expect_refused(*state, bad[i], 4);
}

static void test_events_that_flush_do_nothing(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_EVENT, P_HEADER(0x46, 2), 0x2e, P_HEADER(0x46, 2), 0x700 | 6);
	expect_done(fx);
}

static void test_events_that_write_statistics_are_refused(void **state)
{
	static const uint32_t bad[] = { P_HEADER(0x46, 4), 0x200 | 30, FX_ADDR(DST) };

	expect_refused(*state, bad, 4);
}

static void test_hints_do_nothing(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x95, 2), 0, P_HEADER(0x5d, 5), 0, FX_ADDR(DST), 1);
	expect_done(fx);
}

static void test_odd_releases_are_refused(void **state)
{
	static const uint32_t bad[][8] = {
		/* Conditional interrupts, GDS, a queue's write pointer. */
		{ P_RELEASE(2, 5, DST, 1, 1) },
		{ P_RELEASE(2, 6, DST, 1, 1) },
		{ P_RELEASE(5, 0, DST, 1, 1) },
		{ P_HEADER(0x49, 8), 0x514, 2u << 29 | 2u << 16, FX_ADDR(DST), 1, 0, 0 },
		{ P_HEADER(0x49, 8), 0x514, 2u << 29 | 3u << 16, FX_ADDR(DST), 1, 0, 0 },
		/* One without a word for its event, which gfx8 would take. */
		{ P_HEADER(0x49, 7), 0x514, 2u << 29, FX_ADDR(DST), 1, 0 },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		expect_refused(*state, bad[i], i < 5 ? 8 : 7);
}

static void test_gfx8_does_not_know_what_came_later(void **state)
{
	static const uint32_t bad[][9] = {
		{ P_WAIT64(0u, 1u, DST, 0, 0) }, { P_SEMAPHORE(DST, SIGNAL) },
		{ P_HEADER(0x95, 2), 0 },        { P_HEADER(0x5d, 5), 0, FX_ADDR(DST), 1 },
		{ P_HEADER(0x9b, 3), 0x216, 1 },
	};
	struct fixture *fx = *state;

	fx->ctrl->vm[0].dialect = GPU_DIALECT_GFX8;
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		expect_refused(fx, bad[i], 9);
}

#define PM4_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PM4_TEST(test_a_wait_may_be_for_64_bits),
		PM4_TEST(test_a_comparison_of_64_bits_sees_the_high_half),
		PM4_TEST(test_two_registers_are_waited_for_at_once),
		PM4_TEST(test_malformed_waits_are_refused),
		PM4_TEST(test_a_rewind_waits_to_be_made_valid),
		PM4_TEST(test_a_write_may_have_a_condition),
		PM4_TEST(test_malformed_conditional_writes_are_refused),
		PM4_TEST(test_a_semaphore_counts),
		PM4_TEST(test_malformed_semaphores_are_refused),
		PM4_TEST(test_events_that_flush_do_nothing),
		PM4_TEST(test_events_that_write_statistics_are_refused),
		PM4_TEST(test_hints_do_nothing),
		PM4_TEST(test_odd_releases_are_refused),
		PM4_TEST(test_gfx8_does_not_know_what_came_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
