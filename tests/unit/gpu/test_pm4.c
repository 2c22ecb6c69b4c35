/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define DST     FX_VA(FX_DATA)
#define SRC_OFF VKF_MIB(2)
#define DST_OFF VKF_MIB(8)

/* Submit an indirect buffer at FX_IB through slot 0 of the AQL ring. */
static void submit(struct fixture *fx, const uint32_t *ib, uint32_t bytes)
{
	const uint32_t slot[16] = { 1u << 16, P_IB(FX_VA(FX_IB), bytes / 4), 10 };
	uint64_t index = *fx_u64(fx, FX_WPTR);

	memcpy(fx->arena + FX_IB, ib, bytes);
	memcpy(fx->arena + FX_RING + index * 64, slot, sizeof(slot));
	*fx_u64(fx, FX_WPTR) = index + 1;
}

#define SUBMIT(fx, ...)                                                                            \
	submit(fx, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }))

static int setup(void **state)
{
	fx_setup(state);
	fx_queue(*state, GPU_QUEUE_AQL);
	return 0;
}

static void expect_done(struct fixture *fx, uint64_t packets)
{
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, FX_RPTR), packets);
}

static void expect_refused(struct fixture *fx, uint32_t word)
{
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, word, (word >> 8) & 0xff);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
}

/* The queue as new, to be refused another packet. */
static void again(struct fixture *fx)
{
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	fx_want(fx, cq, GPU_WANT_NONE);
	fx_run(fx);
	cq->error = GPU_QERR_NONE;
	*fx_u64(fx, FX_WPTR) = 0;
	fx_want(fx, cq, GPU_WANT_RUN);
}

static void test_nops_of_every_kind_are_skipped(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_NOP1, P_NOP(2), 0xdead, P_NOP(5), 1, 2, 3, 4, 2u << 30, P_EVENT, P_ACQUIRE,
	       P_WRITE(5, DST, 1), 7);
	expect_done(fx, 1);
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
}

static void test_write_data_writes(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_WRITE(5, DST, 1), 1, P_WRITE(2, DST + 8, 2), 2, 3, P_WRITE(1, DST + 20, 3), 4,
	       5, 6, P_HEADER(0x37, 7), 5u << 8 | 1u << 16, FX_ADDR(DST + 40), 7, 8, 9,
	       P_WRITE(5, DST + 60, 0));
	expect_done(fx, 1);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 2);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 3);
	assert_int_equal(fx_words(fx, FX_DATA)[5], 4);
	assert_int_equal(fx_words(fx, FX_DATA)[7], 6);
	assert_int_equal(fx_words(fx, FX_DATA)[10], 9);
	assert_int_equal(fx_words(fx, FX_DATA)[11], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[15], 0);
}

static void test_wait_waits_for_memory_and_passes_registers(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_HEADER(0x3c, 7), 3 | 1u << 6, 0x1234, 0, 1, 1, 4, P_WAIT(5, DST, 10, 0xff),
	       P_WRITE(5, DST + 4, 1), 1);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*fx_words(fx, FX_DATA) = 0xf09;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_words(fx, FX_DATA + 4), 0);
	*fx_words(fx, FX_DATA) = 0xb;
	expect_done(fx, 1);
	assert_int_equal(*fx_words(fx, FX_DATA + 4), 1);
}

static void test_a_kept_register_is_waited_for(void **state)
{
	struct fixture *fx = *state;
	uint32_t *reg = &fx->engine->uconfig[0][0x200];

	SUBMIT(fx, P_HEADER(0x3c, 7), 5, 0xc200, 0, 10, 0xff, 4, P_HEADER(0x3c, 7), 3 | 1u << 6,
	       0xc201, 0xc202, 7, 0xff, 4, P_COPY_DATA(0, 5, 0, 0xc201, DST));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*reg = 0x10a;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(reg[1], 7);
	reg[2] = 7;
	expect_done(fx, 1);
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
}

static void test_release_mem_writes_and_interrupts(void **state)
{
	struct fixture *fx = *state;
	const uint64_t data = UINT64_C(0x1122334455667788);

	*fx_u64(fx, FX_DATA + 32) = 1;
	SUBMIT(fx, P_RELEASE(1, 0, DST, data, 1), P_RELEASE(2, 3, DST + 8, data, 2),
	       P_RELEASE(3, 2, DST + 16, data, 3), P_RELEASE(0, 1, DST + 24, data, 4),
	       P_RELEASE(4, 4, DST + 32, data, 5));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_DATA), 0x55667788);
	assert_int_equal(*fx_u64(fx, FX_DATA + 8), data);
	assert_int_equal(*fx_u64(fx, FX_DATA + 16), fx->now_ns / 10);
	assert_int_equal(*fx_u64(fx, FX_DATA + 24), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 3);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 4);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 5);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA + 32), 0);
}

static void test_copy_data_knows_its_sources(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_DATA + 0x100) = UINT64_C(0xaabbccdd11223344);
	memset(fx->arena + FX_DATA, 0xff, 0x100);
	SUBMIT(fx, P_COPY_DATA(1, 5, 0, DST + 0x100, DST),
	       P_COPY_DATA(2, 2, 1, DST + 0x100, DST + 8),
	       P_COPY_DATA(5, 5, 1, UINT64_C(0x500000006), DST + 16),
	       P_COPY_DATA(9, 5, 1, 0, DST + 24), P_COPY_DATA(4, 5, 0, 0x1234, DST + 32),
	       P_COPY_DATA(0, 5, 1, 0x1234, DST + 40));
	expect_done(fx, 1);
	assert_int_equal(*fx_u64(fx, FX_DATA), UINT64_C(0xffffffff11223344));
	assert_int_equal(*fx_u64(fx, FX_DATA + 8), UINT64_C(0xaabbccdd11223344));
	assert_int_equal(*fx_u64(fx, FX_DATA + 16), UINT64_C(0x500000006));
	assert_int_equal(*fx_u64(fx, FX_DATA + 24), fx->now_ns / 10);
	assert_int_equal(*fx_u64(fx, FX_DATA + 32), UINT64_C(0xffffffff00000000));
	assert_int_equal(*fx_u64(fx, FX_DATA + 40), 0);
}

static void test_dma_data_copies_and_fills_in_pieces(void **state)
{
	struct fixture *fx = *state;
	uint64_t i;

	fx_pattern(fx, SRC_OFF, VKF_MIB(3), 6);
	SUBMIT(fx, P_DMA(0, FX_VA(SRC_OFF), FX_VA(DST_OFF + 1), VKF_MIB(3)),
	       P_DMA(2, 0x01020304, FX_VA(DST_OFF + VKF_MIB(4)), VKF_MIB(2)), P_DMA(0, 0, 0, 0),
	       P_WRITE(5, DST, 1), 1);
	expect_done(fx, 1);
	fx_check_pattern(fx, DST_OFF + 1, VKF_MIB(3), 6);
	for (i = 0; i < VKF_MIB(2); i += 4)
		assert_int_equal(*fx_words(fx, DST_OFF + VKF_MIB(4) + i), 0x01020304);
	assert_int_equal(*fx_words(fx, DST_OFF + VKF_MIB(6)), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
}

static void test_an_atomic_adds(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_DATA) = 10;
	SUBMIT(fx, P_ATOMIC(0x2f, DST, UINT64_MAX), P_ATOMIC(0x6f, DST, UINT64_C(0x100000000)));
	expect_done(fx, 1);
	assert_int_equal(*fx_u64(fx, FX_DATA), UINT64_C(0x100000009));
}

static void test_what_is_for_other_dies_is_skipped(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_PRED(5, 1), P_WRITE(5, DST, 1), 1, P_PRED(10, 2), P_WRITE(5, DST + 4, 1), 2,
	       P_WRITE(5, DST + 8, 1), 3, P_PRED(5, 3), P_WRITE(5, DST + 12, 1), 4, P_PRED(0, 0));
	expect_done(fx, 1);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 4);
}

static void test_a_condition_decides_what_is_run(void **state)
{
	struct fixture *fx = *state;

	*fx_words(fx, FX_DATA + 64) = 1;
	SUBMIT(fx, P_COND(DST + 64, 5), P_WRITE(5, DST, 1), 1, P_COND(DST + 68, 5),
	       P_WRITE(5, DST + 4, 1), 2, P_WRITE(5, DST + 8, 1), 3);
	expect_done(fx, 1);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 3);
}

static void test_a_dispatch_ends_its_queue(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_DISPATCH(0, 1, 1), P_WRITE(5, DST, 1), 1, P_DISPATCH(1, 2, 3),
	       P_WRITE(5, DST + 4, 1), 2);
	expect_refused(fx, P_HEADER(0x15, 5));
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 0);
}

static void test_an_indirect_dispatch_takes_its_size_from_memory(void **state)
{
	struct fixture *fx = *state;

	fx_words(fx, FX_DATA + 64)[0] = fx_words(fx, FX_DATA + 64)[1] = 1;
	SUBMIT(fx, P_HEADER(0x16, 4), FX_ADDR(DST + 64), 1, P_WRITE(5, DST, 1), 1,
	       P_HEADER(0x16, 4), FX_ADDR(0x123456000), 1);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0x123456000, GPU_FAULT_NOT_PRESENT);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
}

static void test_an_overlapping_dma_is_a_move(void **state)
{
	struct fixture *fx = *state;

	fx_pattern(fx, SRC_OFF, VKF_MIB(3), 6);
	SUBMIT(fx, P_DMA(0, FX_VA(SRC_OFF), FX_VA(SRC_OFF + 4096), VKF_MIB(3)));
	expect_done(fx, 1);
	fx_check_pattern(fx, SRC_OFF + 4096, VKF_MIB(3), 6);
}

static void test_buffers_call_each_other_and_return(void **state)
{
	const uint32_t inner[] = { P_WRITE(5, DST + 4, 1), 2 };
	const uint32_t middle[] = { P_IB(FX_VA(FX_IB + 0x2000), 5), P_WRITE(5, DST + 8, 1), 3 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB + 0x1000, middle, sizeof(middle));
	memcpy(fx->arena + FX_IB + 0x2000, inner, sizeof(inner));
	SUBMIT(fx, P_IB(FX_VA(FX_IB + 0x1000), 9), P_IB(FX_VA(FX_IB), 0), P_WRITE(5, DST, 1), 1);
	expect_done(fx, 1);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 2);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 3);
}

static void test_a_call_at_the_end_returns_from_both(void **state)
{
	const uint32_t inner[] = { P_WRITE(5, DST, 1), 2 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB + 0x1000, inner, sizeof(inner));
	SUBMIT(fx, P_IB(FX_VA(FX_IB + 0x1000), 5));
	expect_done(fx, 1);
	assert_int_equal(*fx_words(fx, FX_DATA), 2);
}

static void test_a_chain_does_not_return(void **state)
{
	const uint32_t next[] = { P_WRITE(5, DST, 1), 2 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB + 0x1000, next, sizeof(next));
	SUBMIT(fx, P_CHAIN(FX_VA(FX_IB + 0x1000), 5), P_WRITE(5, DST + 4, 1), 1);
	expect_done(fx, 1);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 2);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 0);
}

static void test_an_endless_chain_can_be_stopped(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];
	unsigned int i;

	SUBMIT(fx, P_CHAIN(FX_VA(FX_IB), 4));
	for (i = 0; i < 100; i++)
		assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WORKED);
	fx_want(fx, cq, GPU_WANT_STOP);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(cq->ack_seq, cq->want_seq);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
}

#define P_COND_IB(mode, func, va, mask, ref, base1, n1, base2, n2)                                 \
	P_HEADER(0x3f, 14), (mode) | (func) << 8, FX_ADDR(va), FX_ADDR(mask), FX_ADDR(ref),        \
		FX_ADDR(base1), (n1), FX_ADDR(base2), (n2)

static void test_a_comparison_chooses_the_buffer(void **state)
{
	const uint64_t then = FX_VA(FX_IB + 0x400), otherwise = FX_VA(FX_IB + 0x600);
	const uint32_t first[] = { P_WRITE(5, DST + 8, 1), 1 };
	const uint32_t second[] = { P_WRITE(5, DST + 12, 1), 2 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB + 0x400, first, sizeof(first));
	memcpy(fx->arena + FX_IB + 0x600, second, sizeof(second));
	*fx_u64(fx, FX_DATA) = UINT64_C(0x700000005);
	SUBMIT(fx, P_COND_IB(2, 3, DST, UINT64_MAX, UINT64_C(0x700000005), then, 5, otherwise, 5),
	       P_WRITE(5, DST + 16, 1), 3);
	expect_done(fx, 1);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[4], 3);
	fx_words(fx, FX_DATA)[2] = 0;
	SUBMIT(fx, P_COND_IB(2, 4, DST, UINT64_MAX, UINT64_C(0x700000005), then, 5, otherwise, 5));
	expect_done(fx, 2);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 2);
	fx_words(fx, FX_DATA)[3] = 0;
	SUBMIT(fx, P_COND_IB(1, 4, DST, UINT64_MAX, UINT64_C(0x700000005), then, 5, otherwise, 5));
	expect_done(fx, 3);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 0);
}

static void test_malformed_choices_are_refused(void **state)
{
	static const uint32_t bad[][14] = {
		{ P_COND_IB(0, 3, DST, 0, 0, 0, 5, 0, 5) },
		{ P_COND_IB(3, 3, DST, 0, 0, 0, 5, 0, 5) },
		{ P_COND_IB(1, 7, DST, 0, 0, 0, 5, 0, 5) },
	};
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		submit(fx, bad[i], sizeof(bad[i]));
		expect_refused(fx, P_HEADER(0x3f, 14));
		again(fx);
	}
}

static void test_endless_calls_are_refused(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_IB(FX_VA(FX_IB), 4));
	expect_refused(fx, P_HEADER(0x3f, 4));
}

static void test_what_we_do_not_know_is_refused(void **state)
{
	static const uint32_t bad[] = {
		P_HEADER(0x1f, 5), P_HEADER(0x1d, 11),
		P_HEADER(0x76, 3), P_HEADER(0x7a, 3),
		P_HEADER(0xff, 2), 0,
		1u << 30,          5,
	};
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		SUBMIT(fx, bad[i], 0x21, 1, 1, 1, 0, 0, 0, 0, 0);
		expect_refused(fx, bad[i]);
		again(fx);
	}
}

static void test_short_and_cut_packets_are_refused(void **state)
{
	static const uint32_t bad[][8] = {
		{ P_HEADER(0x37, 3), 5u << 8, 0 },  /* no address */
		{ P_HEADER(0x3c, 6), 0x13 },        /* no interval */
		{ P_HEADER(0x49, 7), 0x514 },       /* as before gfx9 */
		{ P_HEADER(0x40, 5), 5 | 5u << 8 }, /* half a destination */
		{ P_HEADER(0x50, 6), 0 },           /* no count */
		{ P_HEADER(0x3f, 3), 0 },           /* no size */
		{ P_NOP(9) },                       /* beyond the buffer */
		{ P_HEADER(0x37, 9), 5u << 8, FX_LO(DST), FX_HI(DST) },
	};
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		submit(fx, bad[i], 32);
		expect_refused(fx, bad[i][0]);
		assert_int_equal(*fx_words(fx, FX_DATA), 0);
		again(fx);
	}
}

static void test_registers_and_odd_forms_are_refused(void **state)
{
	static const uint32_t bad[][9] = {
		{ P_WRITE(0, DST, 1), 1 },
		{ P_WRITE(3, DST, 1), 1 },
		{ P_WAIT(7, DST, 0, 0) },
		{ P_HEADER(0x3c, 7), 3 | 2u << 4, FX_ADDR(DST), 0, 0, 0 },
		{ P_HEADER(0x3c, 7), 3 | 1u << 4 | 1u << 6, FX_ADDR(DST), 0, 0, 0 },
		{ P_RELEASE(6, 0, DST, 0, 0) },
		{ P_RELEASE(5, 0, DST, 0, 0) },
		{ P_RELEASE(1, 6, DST, 1, 0) },
		{ P_RELEASE(1, 5, DST, 1, 0) },
		{ P_HEADER(0x49, 8), 0x514, 1u << 29 | 2u << 16, FX_ADDR(DST), 1, 0, 0 },
		{ P_COND(DST, 9) }, /* beyond the buffer */
		{ P_COPY_DATA(1, 0, 0, DST, DST) },
		{ P_COPY_DATA(7, 5, 0, DST, DST) },
		{ P_COPY_DATA(3, 5, 0, DST, DST) },
		{ P_PRED(8, 2) }, /* beyond the buffer */
		{ P_SET_SH(0x1ff, 1), 1 },
		{ P_SET_SH(0x280, 1), 1 },
		{ P_SET_SH(0x27f, 2), 1, 2 },
		{ P_SET_SH(0xffff, 1), 1 },
		{ P_DMA(1, DST, DST, 4) },
		{ P_DMA(2, 1, DST + 1, 4) },
		{ P_DMA(2, 1, DST, 5) },
		{ P_DMA(0, DST, DST, 4 | 1u << 26) },
		{ P_DMA(0, DST, DST, 4 | 1u << 27) },
		{ P_DMA(0, DST, DST, 4 | 1u << 28) },
		{ P_DMA(0, DST, DST, 4 | 1u << 29) },
	};
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		submit(fx, bad[i], sizeof(bad[i]));
		expect_refused(fx, bad[i][0]);
		assert_int_equal(*fx_words(fx, FX_DATA), 0);
		again(fx);
	}
}

static void test_a_jump_that_is_none_is_refused(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_WRITE(5, DST, 1), 1);
	*fx_words(fx, FX_RING + 4) = P_NOP(4);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, P_NOP(4), 0x10);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
}

static void test_an_unmapped_buffer_faults(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_IB(0x123456000, 4));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0x123456000, GPU_FAULT_NOT_PRESENT);
}

static void test_writes_to_nowhere_fault(void **state)
{
	struct fixture *fx = *state;

	SUBMIT(fx, P_RELEASE(1, 2, 0, 1, 5));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	fx_expect_no_irq(fx);
}

#define PM4_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PM4_TEST(test_nops_of_every_kind_are_skipped),
		PM4_TEST(test_write_data_writes),
		PM4_TEST(test_wait_waits_for_memory_and_passes_registers),
		PM4_TEST(test_a_kept_register_is_waited_for),
		PM4_TEST(test_release_mem_writes_and_interrupts),
		PM4_TEST(test_a_condition_decides_what_is_run),
		PM4_TEST(test_a_dispatch_ends_its_queue),
		PM4_TEST(test_an_indirect_dispatch_takes_its_size_from_memory),
		PM4_TEST(test_copy_data_knows_its_sources),
		PM4_TEST(test_dma_data_copies_and_fills_in_pieces),
		PM4_TEST(test_an_atomic_adds),
		PM4_TEST(test_what_is_for_other_dies_is_skipped),
		PM4_TEST(test_an_overlapping_dma_is_a_move),
		PM4_TEST(test_buffers_call_each_other_and_return),
		PM4_TEST(test_a_call_at_the_end_returns_from_both),
		PM4_TEST(test_a_chain_does_not_return),
		PM4_TEST(test_an_endless_chain_can_be_stopped),
		PM4_TEST(test_a_comparison_chooses_the_buffer),
		PM4_TEST(test_malformed_choices_are_refused),
		PM4_TEST(test_endless_calls_are_refused),
		PM4_TEST(test_what_we_do_not_know_is_refused),
		PM4_TEST(test_short_and_cut_packets_are_refused),
		PM4_TEST(test_registers_and_odd_forms_are_refused),
		PM4_TEST(test_a_jump_that_is_none_is_refused),
		PM4_TEST(test_an_unmapped_buffer_faults),
		PM4_TEST(test_writes_to_nowhere_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
