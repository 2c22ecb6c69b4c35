/* SPDX-License-Identifier: MIT */
#include "packets.h"
#include "spec/sdma_v4.h"

#define DST  FX_VA(FX_DATA)
#define FLAG (FX_DATA + 0x8000)

static uint64_t rptr(struct fixture *fx)
{
	assert_int_equal(*fx_u64(fx, FX_RPTR), fx->ctrl->queue[0].rptr);
	return *fx_u64(fx, FX_RPTR);
}

static void expect_refused(struct fixture *fx, uint32_t word)
{
	uint64_t before = rptr(fx);

	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, word, word & 0xff);
	fx_expect_no_irq(fx);
	assert_int_equal(rptr(fx), before);
}

static void test_nop_skips_the_words_it_counts(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_NOP(0), S_NOP(2), 0xdeadbeef, 0xdeadbeef, S_FENCE(DST, 7));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
	assert_int_equal(rptr(fx), 8 * 4);
	assert_int_equal(fx->ctrl->queue[0].packets, 3);
}

static void test_a_zeroed_ring_is_nops(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_WPTR) = FX_RING_BYTES;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), FX_RING_BYTES);
	assert_int_equal(fx->ctrl->queue[0].packets, FX_RING_BYTES / 4);
}

static void test_fence_stores_32_bits(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_DATA) = UINT64_MAX;
	FX_SDMA(fx, S_FENCE(DST + 4, 0x12345678));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), UINT64_C(0x12345678ffffffff));
}

static void test_a_misaligned_fence_is_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST + 2, 1));
	expect_refused(fx, 5);
}

static void test_trap_raises_its_context_of_28_bits(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_TRAP(0xf0000123));
	fx_run(fx);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 0x123);
	fx_expect_no_irq(fx);
	assert_int_equal(fx->irq_calls, 1);
}

static struct fixture *irq_fx;
static uint64_t rptr_at_irq;

static void note_rptr(void *cookie)
{
	rptr_at_irq = *fx_u64(irq_fx, FX_RPTR);
}

static void test_the_read_pointer_is_out_before_the_interrupt(void **state)
{
	struct fixture *fx = *state;
	struct gpu_engine_ops ops = *fx->engine->ops;

	ops.irq = note_rptr;
	fx->engine->ops = &ops;
	irq_fx = fx;
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_NOP(0), S_TRAP(1));
	fx_run(fx);
	assert_int_equal(rptr_at_irq, 12);
}

static void test_atomic_adds_64_bits(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_DATA) = UINT64_C(0x100000000);
	FX_SDMA(fx, S_ATOMIC(47, DST, UINT64_MAX));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), UINT64_C(0xffffffff));
	assert_int_equal(rptr(fx), 32);
}

static void test_atomics_of_every_kind(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_DATA) = 5;
	*fx_words(fx, FX_DATA + 12) = 5;
	FX_SDMA(fx, S_ATOMIC(0x27, DST, UINT64_C(0x100000002)), S_ATOMIC(0x50, DST + 12, 6),
		10u | 0x68u << 25, FX_ADDR(DST), FX_ADDR(3), FX_ADDR(UINT64_C(0x100000002)), 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_DATA), 3);
	assert_int_equal(*fx_words(fx, FX_DATA + 12), UINT32_MAX);
}

static void test_an_atomic_may_wait_for_its_comparison(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 10u | 0x28u << 25 | 1u << 16, FX_ADDR(DST), FX_ADDR(9), FX_ADDR(3), 0,
		S_FENCE(DST + 8, 1));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_u64(fx, FX_DATA), 0);
	*fx_u64(fx, FX_DATA) = 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_DATA), 9);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 1);
}

static void test_a_condition_decides_what_is_run(void **state)
{
	const uint32_t ib[] = { S_COND(DST + 64, 8, 4), S_FENCE(DST + 8, 3), S_FENCE(DST + 12, 4) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_words(fx, FX_DATA + 64) = 7;
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	FX_SDMA(fx, S_COND(DST + 64, 7, 4), S_FENCE(DST, 1), S_COND(DST + 64, 8, 4),
		S_FENCE(DST + 4, 2), S_INDIRECT(FX_VA(FX_IB), 13));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[2], 0);
	assert_int_equal(fx_words(fx, FX_DATA)[3], 4);
	assert_int_equal(rptr(fx), *fx_u64(fx, FX_WPTR));
	/* What is skipped may come later than the packet. */
	FX_SDMA(fx, S_COND(DST + 64, 8, 4));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), *fx_u64(fx, FX_WPTR) - 20);
	FX_SDMA(fx, S_FENCE(DST + 4, 2), S_FENCE(DST + 4, 5));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 5);
}

static void test_a_malformed_condition_is_refused(void **state)
{
	static const uint32_t bad[][5] = { { S_COND(DST + 2, 0, 0) }, { S_COND(DST, 1, 1023) } };
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		fx_sdma(fx, bad[i], 5);
		expect_refused(fx, 9);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

static void test_other_atomics_are_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_ATOMIC(0x24, DST, 1));
	expect_refused(fx, 10 | 0x24u << 25);
	assert_int_equal(*fx_u64(fx, FX_DATA), 0);
}

static void test_a_looping_or_misaligned_atomic_is_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_ATOMIC(47, DST + 4, 1));
	expect_refused(fx, 10 | 47u << 25);
	fx->ctrl->queue[0].error = GPU_QERR_NONE;
	fx->ctrl->queue[0].rptr = 32;
	*fx_u64(fx, FX_RPTR) = 32;
	FX_SDMA(fx, 10u | 47u << 25 | 1u << 16, FX_ADDR(DST), 1, 0, 0, 0, 0);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_STOP);
	fx_run(fx);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_NONE);
	fx_run(fx);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_RUN);
	expect_refused(fx, 10 | 47u << 25 | 1u << 16);
	assert_int_equal(*fx_u64(fx, FX_DATA), 0);
}

static void test_timestamp_is_the_gpu_clock(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx->now_ns = 123456780;
	FX_SDMA(fx, S_TIMESTAMP(DST + 5), 13u | 1u << 8, FX_ADDR(DST + 16));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 12345678);
	assert_int_equal(*fx_u64(fx, FX_DATA + 16), 12345678);
	assert_int_equal(rptr(fx), 24);
}

static void test_other_timestamps_are_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 13u | 3u << 8, FX_ADDR(DST));
	expect_refused(fx, 13u | 3u << 8);
}

static void test_poll_waits_until_memory_changes(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_POLL(3, DST, 5, 0xff), S_FENCE(FX_VA(FLAG), 1));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_false(gpu_engine_pending(fx->engine));
	assert_int_equal(rptr(fx), 0);
	*fx_words(fx, FX_DATA) = 0x605;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FLAG), 1);
	assert_int_equal(rptr(fx), 40);
}

static void test_poll_knows_all_comparisons(void **state)
{
	/* Whether 4, 5, 6 pass against 5, for each function. */
	static const bool passes[7][3] = {
		{ true, true, true },   { true, false, false }, { true, true, false },
		{ false, true, false }, { true, false, true },  { false, true, true },
		{ false, false, true },
	};
	struct fixture *fx = *state;
	unsigned int func, i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	for (func = 0; func < 7; func++) {
		for (i = 0; i < 3; i++) {
			uint64_t before = rptr(fx);

			*fx_words(fx, FX_DATA) = 4 + i;
			FX_SDMA(fx, S_POLL_N(func, DST, 5, 0xffffffff, 0xfff));
			assert_int_equal(fx_run(fx), passes[func][i] ? 0 : GPU_STEP_WAITING);
			assert_int_equal(rptr(fx), before + (passes[func][i] ? 24 : 0));
			*fx_words(fx, FX_DATA) = func < 3 ? 0 : func == 3 ? 5 : 6;
			fx_run(fx);
			assert_int_equal(rptr(fx), before + 24);
		}
	}
}

static void test_poll_gives_up_after_its_retries(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	/* 300 retries, 4 cycles apart; then 200. */
	FX_SDMA(fx, S_POLL_N(3, DST, 5, 0xffffffff, 300), S_POLL_N(3, DST, 5, 0xffffffff, 200),
		S_POLL(3, DST, 5, 0xffffffff));
	fx->now_ns = 1000000;
	for (int i = 0; i < 500; i++)
		assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WAITING);
	fx->now_ns += 1199;
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WAITING);
	fx->now_ns += 1;
	/* The second one counts anew. */
	assert_true(gpu_engine_step(fx->engine) & GPU_STEP_WORKED);
	assert_int_equal(rptr(fx), 24);
	fx->now_ns += 799;
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WAITING);
	fx->now_ns += 1;
	assert_true(gpu_engine_step(fx->engine) & GPU_STEP_WORKED);
	assert_int_equal(rptr(fx), 48);
	/* The third one never does. */
	fx->now_ns += UINT64_C(3600000000000);
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WAITING);
	fx_expect_no_irq(fx);
}

static void test_a_poll_without_retries_looks_once(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_POLL_N(3, DST, 5, 0xffffffff, 0), S_FENCE(DST, 1));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
}

static void test_a_semaphore_counts(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_SEM_WAIT(DST), S_FENCE(DST + 8, 1));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*fx_u64(fx, FX_DATA) = 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_DATA), 2);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 1);
	FX_SDMA(fx, S_SEM_SIGNAL(DST));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 3);
}

static void test_a_written_semaphore_is_one(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_DATA) = 9;
	FX_SDMA(fx, 7u | 3u << 29, FX_ADDR(DST));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_DATA), 1);
	FX_SDMA(fx, 7u | 1u << 31, FX_ADDR(DST));
	expect_refused(fx, 7u | 1u << 31);
}

static void test_a_register_is_not_written(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 14u | 15u << 28, 0x1234, 0xffffffff, S_FENCE(DST, 1));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), 28);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	fx_expect_no_irq(fx);
}

static void test_the_local_clock_can_be_set(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx->now_ns = 1000000;
	FX_SDMA(fx, 13, FX_ADDR(UINT64_C(0x500000000)), S_TIMESTAMP_LOCAL(DST),
		S_TIMESTAMP(DST + 8));
	fx_run(fx);
	assert_int_equal(fx_u64(fx, FX_DATA)[0], UINT64_C(0x500000000));
	assert_int_equal(fx_u64(fx, FX_DATA)[1], 100000);
	fx->now_ns += 70;
	FX_SDMA(fx, S_TIMESTAMP_LOCAL(DST));
	fx_run(fx);
	assert_int_equal(fx_u64(fx, FX_DATA)[0], UINT64_C(0x500000007));
}

static void test_entries_are_generated(void **state)
{
	struct fixture *fx = *state;
	const uint64_t n = 1500, base = UINT64_C(0x123400000000);

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 12, FX_ADDR(DST), FX_ADDR(UINT64_C(0x8000000000000073)), FX_ADDR(base),
		FX_ADDR(0x1000), (uint32_t)n - 1, S_FENCE(DST - 8, 1));
	assert_int_equal(fx_run(fx), 0);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(fx_u64(fx, FX_DATA)[i],
				 (base + i * 0x1000) | UINT64_C(0x8000000000000073));
	assert_int_equal(fx_u64(fx, FX_DATA)[n], 0);
	assert_int_equal(*fx_words(fx, FX_DATA - 8), 1);
	assert_int_equal(rptr(fx), 56);
	FX_SDMA(fx, 12, FX_ADDR(DST + 4), 0, 0, 0, 0, 0, 0, 0);
	expect_refused(fx, 12);
}

static void test_generated_entries_fault_like_any_write(void **state)
{
	struct fixture *fx = *state;

	fx_map(fx, 0, DST + 4096, (FX_DATA + 4096) | GPU_BACKING_ARENA, FX_RO);
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 12, FX_ADDR(DST), FX_ADDR(1), FX_ADDR(0), FX_ADDR(0), 1023);
	fx_run(fx);
	fx_expect_fault(fx, DST + 4096, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	assert_int_equal(*fx_u64(fx, FX_DATA + 4096), 0);
}

static void test_the_low_bits_of_a_buffers_address_are_ignored(void **state)
{
	const uint32_t ib[] = { S_FENCE(DST, 9) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	FX_SDMA(fx, S_INDIRECT(FX_VA(FX_IB) + 31, 4));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 9);
}

static void test_malformed_polls_are_refused(void **state)
{
	static const uint32_t bad[][6] = {
		{ S_POLL(7, DST, 0, 0) },
		{ S_POLL(3, DST + 1, 0, 0) },
		{ 8 | 3u << 28, FX_ADDR(DST), 0, 0, 0xfff0000 }, /* a register */
		{ 8 | 1u << 8, FX_ADDR(DST), 0, 0, 0 },          /* another sub-op */
	};
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		fx_sdma(fx, bad[i], 6);
		expect_refused(fx, bad[i][0]);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

static void test_hdp_flushes_do_nothing(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	/* ROCr's, the kernel's. */
	FX_SDMA(fx, S_HDP_FLUSH, 8 | 1u << 26 | 3u << 28, 0x1234, 0x5678, 1, 1, 0xfff0010);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), 48);
	fx_expect_no_irq(fx);
}

static void test_dummy_traps_are_skipped(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 16, 1, 32, 1);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), 16);
	fx_expect_no_irq(fx);
}

static void test_unknown_packets_are_refused(void **state)
{
	static const uint32_t bad[] = { 3,     0x107, 0x109, 0x10c, 0x10e, 15,    17,
					33,    0xff,  0x100, 0x101, 0x301, 0x801, 0x102,
					0x105, 0x106, 0x10a, 0x10b, 0x30d };
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		FX_SDMA(fx, bad[i]);
		expect_refused(fx, bad[i]);
		assert_int_equal(fx->ctrl->queue[0].packets, 0);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

static void test_a_given_up_queue_stays_so(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, 0xff, S_FENCE(DST, 1));
	expect_refused(fx, 0xff);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_STOP);
	fx_run(fx);
	assert_int_equal(fx->ctrl->queue[0].ack_seq, fx->ctrl->queue[0].want_seq);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->ctrl->queue[0].ack_seq, fx->ctrl->queue[0].want_seq);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
	fx_expect_no_irq(fx);
}

static void test_a_packet_waits_for_its_last_word(void **state)
{
	struct fixture *fx = *state;
	const uint32_t fence[] = { S_FENCE(DST, 9) };
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	for (i = 0; i < 3; i++) {
		fx_sdma(fx, &fence[i], 1);
		assert_true(gpu_engine_pending(fx->engine));
		assert_int_equal(fx_run(fx), 0);
		assert_false(gpu_engine_pending(fx->engine));
		assert_int_equal(*fx_words(fx, FX_DATA), 0);
	}
	fx_sdma(fx, &fence[3], 1);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 9);
}

static void test_a_packet_longer_than_the_ring_is_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_NOP(FX_RING_BYTES / 4));
	expect_refused(fx, S_NOP(FX_RING_BYTES / 4));
}

static void test_the_ring_wraps_inside_packets(void **state)
{
	struct fixture *fx = *state;
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	/* 7 words do not divide the ring: every place of the seam comes up. */
	for (i = 0; i < 3000; i++) {
		FX_SDMA(fx, S_NOP(2), 0xffffffff, 0xffffffff, S_FENCE(DST, i));
		assert_int_equal(fx_run(fx), 0);
		assert_int_equal(*fx_words(fx, FX_DATA), i);
		assert_int_equal(rptr(fx), (i + 1) * 28);
	}
}

static void test_the_pages_of_the_ring_need_not_lie_together(void **state)
{
	struct fixture *fx = *state;
	uint64_t ring = UINT64_C(0x300000000);
	struct gpu_ctrl_queue *cq;

	fx_map(fx, 0, ring, FX_IB | GPU_BACKING_ARENA, FX_RO);
	fx_map(fx, 0, ring + 0x1000, FX_RING | GPU_BACKING_ARENA, FX_RO);
	cq = fx_queue(fx, GPU_QUEUE_SDMA);
	cq->ring_va = ring;
	cq->ring_bytes = 0x2000;
	*fx_words(fx, FX_IB + 0xff8) = 5;
	*fx_words(fx, FX_IB + 0xffc) = FX_LO(DST);
	*fx_words(fx, FX_RING) = FX_HI(DST);
	*fx_words(fx, FX_RING + 4) = 77;
	cq->rptr = 0xff8;
	*fx_u64(fx, FX_WPTR) = 0x1008;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 77);
}

static void test_a_write_pointer_far_ahead_counts_modulo_the_ring(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 3));
	*fx_u64(fx, FX_WPTR) += 5 * FX_RING_BYTES;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 3);
	assert_int_equal(rptr(fx), 16 + 5 * FX_RING_BYTES);
	assert_int_equal(fx->ctrl->queue[0].packets, 1);
}

static void test_a_write_pointer_that_went_back_comes_to_rest(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_NOP(0), S_NOP(0), S_NOP(0));
	fx_run(fx);
	*fx_u64(fx, FX_WPTR) = 4;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), 4);
	*fx_u64(fx, FX_WPTR) = UINT64_MAX;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), UINT64_MAX & ~UINT64_C(3));
}

static void test_misaligned_pointers_are_rounded_down(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	cq->ring_va += 5;
	cq->wptr_va += 3;
	cq->rptr_va += 7;
	cq->rptr = 2;
	FX_SDMA(fx, S_FENCE(DST, 3));
	*fx_u64(fx, FX_WPTR) += 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 3);
	assert_int_equal(rptr(fx), 16);
}

static void test_unmapped_pointers_and_rings_fault(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_unmap(fx, 0, FX_VA(FX_RING));
	FX_SDMA(fx, S_NOP(0));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, FX_VA(FX_RING), GPU_FAULT_NOT_PRESENT);
}

static void test_an_unmapped_write_pointer_faults(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_unmap(fx, 0, FX_VA(FX_QUEUE));
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, FX_VA(FX_QUEUE), GPU_FAULT_NOT_PRESENT);
	assert_false(gpu_engine_pending(fx->engine));
}

static void test_a_read_only_read_pointer_faults(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	fx_map(fx, 0, FX_VA(0x9000), 0x9000 | GPU_BACKING_ARENA, FX_RO);
	cq->rptr_va = FX_VA(0x9000);
	FX_SDMA(fx, S_NOP(0));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, FX_VA(0x9000), GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
}

static void test_an_indirect_buffer_runs_and_the_ring_goes_on(void **state)
{
	struct fixture *fx = *state;
	const uint32_t ib[] = { S_NOP(0), S_FENCE(DST, 1), S_ATOMIC(47, DST + 8, 5) };

	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_INDIRECT(FX_VA(FX_IB), sizeof(ib) / 4), S_INDIRECT(FX_VA(FX_IB), 0),
		S_INDIRECT(FX_VA(FX_IB), sizeof(ib) / 4), S_FENCE(DST + 4, 2));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_int_equal(*fx_words(fx, FX_DATA + 4), 2);
	assert_int_equal(*fx_u64(fx, FX_DATA + 8), 10);
	assert_int_equal(rptr(fx), (3 * 6 + 4) * 4);
	assert_int_equal(fx->ctrl->queue[0].packets, 4);
}

static void test_a_poll_in_an_indirect_buffer_waits(void **state)
{
	struct fixture *fx = *state;
	const uint32_t ib[] = { S_POLL(3, DST, 1, 1), S_FENCE(DST + 4, 1) };

	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_INDIRECT(FX_VA(FX_IB), sizeof(ib) / 4));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(rptr(fx), 0);
	*fx_words(fx, FX_DATA) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA + 4), 1);
	assert_int_equal(rptr(fx), 24);
}

static void test_malformed_indirect_buffers_are_refused(void **state)
{
	const uint32_t nested[] = { S_INDIRECT(FX_VA(FX_IB), 6) }, cut[] = { S_FENCE(DST, 1) };
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	memcpy(fx->arena + FX_IB, nested, sizeof(nested));
	FX_SDMA(fx, S_INDIRECT(FX_VA(FX_IB), 6));
	expect_refused(fx, 4);
	fx_want(fx, cq, GPU_WANT_NONE);
	fx_run(fx);
	memcpy(fx->arena + FX_IB, cut, sizeof(cut));
	cq->error = GPU_QERR_NONE;
	*fx_u64(fx, FX_WPTR) = 0;
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_INDIRECT(FX_VA(FX_IB), 3));
	expect_refused(fx, 5);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
}

static void test_an_unmapped_indirect_buffer_faults(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_INDIRECT(0x1000, 4));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0x1000, GPU_FAULT_NOT_PRESENT);
}

static void test_an_xgmi_queue_is_an_sdma_queue(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA_XGMI);
	FX_SDMA(fx, S_FENCE(DST, 1));
	fx_run(fx);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
}

/* The order of ROCr's copies: timestamps, dependency, copy, signal, mailbox, interrupt. */
static void test_a_copy_as_rocr_submits_it(void **state)
{
	const uint64_t signal = FX_VA(FX_SIGNALS), dep = FX_VA(FX_SIGNALS + 64);
	struct fixture *fx = *state;

	fx->ctrl->event_page = 1;
	fx->ctrl->event_slots = 4096;
	memset(fx->arena, 0xff, 4096 * 8);
	*fx_u64(fx, FX_SIGNALS + 8) = 1;
	*fx_u64(fx, FX_SIGNALS + 64 + 8) = 1;
	fx_pattern(fx, FX_DATA, 70000, 9);
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_TIMESTAMP(signal + 0x20), S_POLL(3, dep + 12, 0, 0xffffffff),
		S_POLL(3, dep + 8, 0, 0xffffffff), S_HDP_FLUSH, S_COPY(DST, DST + 0x100000, 70000),
		S_TIMESTAMP(signal + 0x28), S_ATOMIC(47, signal + 8, UINT64_MAX),
		S_FENCE(FX_VA(FX_EVENTS + 42 * 8), 42), S_TRAP(42));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 8), 1);
	fx->now_ns += 1000000;
	*fx_u64(fx, FX_SIGNALS + 64 + 8) = 0;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 8), 0);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 0x28) - *fx_u64(fx, FX_SIGNALS + 0x20), 100000);
	fx_check_pattern(fx, FX_DATA + 0x100000, 70000, 9);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 42);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, FX_EVENTS + 42 * 8), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_nop_skips_the_words_it_counts),
		FX_TEST(test_a_zeroed_ring_is_nops),
		FX_TEST(test_fence_stores_32_bits),
		FX_TEST(test_a_misaligned_fence_is_refused),
		FX_TEST(test_trap_raises_its_context_of_28_bits),
		FX_TEST(test_the_read_pointer_is_out_before_the_interrupt),
		FX_TEST(test_atomic_adds_64_bits),
		FX_TEST(test_atomics_of_every_kind),
		FX_TEST(test_an_atomic_may_wait_for_its_comparison),
		FX_TEST(test_a_condition_decides_what_is_run),
		FX_TEST(test_a_malformed_condition_is_refused),
		FX_TEST(test_other_atomics_are_refused),
		FX_TEST(test_a_looping_or_misaligned_atomic_is_refused),
		FX_TEST(test_timestamp_is_the_gpu_clock),
		FX_TEST(test_other_timestamps_are_refused),
		FX_TEST(test_poll_waits_until_memory_changes),
		FX_TEST(test_poll_knows_all_comparisons),
		FX_TEST(test_poll_gives_up_after_its_retries),
		FX_TEST(test_a_poll_without_retries_looks_once),
		FX_TEST(test_malformed_polls_are_refused),
		FX_TEST(test_a_semaphore_counts),
		FX_TEST(test_a_written_semaphore_is_one),
		FX_TEST(test_a_register_is_not_written),
		FX_TEST(test_the_local_clock_can_be_set),
		FX_TEST(test_entries_are_generated),
		FX_TEST(test_generated_entries_fault_like_any_write),
		FX_TEST(test_the_low_bits_of_a_buffers_address_are_ignored),
		FX_TEST(test_hdp_flushes_do_nothing),
		FX_TEST(test_dummy_traps_are_skipped),
		FX_TEST(test_unknown_packets_are_refused),
		FX_TEST(test_a_given_up_queue_stays_so),
		FX_TEST(test_a_packet_waits_for_its_last_word),
		FX_TEST(test_a_packet_longer_than_the_ring_is_refused),
		FX_TEST(test_the_ring_wraps_inside_packets),
		FX_TEST(test_the_pages_of_the_ring_need_not_lie_together),
		FX_TEST(test_a_write_pointer_far_ahead_counts_modulo_the_ring),
		FX_TEST(test_a_write_pointer_that_went_back_comes_to_rest),
		FX_TEST(test_misaligned_pointers_are_rounded_down),
		FX_TEST(test_unmapped_pointers_and_rings_fault),
		FX_TEST(test_an_unmapped_write_pointer_faults),
		FX_TEST(test_a_read_only_read_pointer_faults),
		FX_TEST(test_an_indirect_buffer_runs_and_the_ring_goes_on),
		FX_TEST(test_a_poll_in_an_indirect_buffer_waits),
		FX_TEST(test_malformed_indirect_buffers_are_refused),
		FX_TEST(test_an_unmapped_indirect_buffer_faults),
		FX_TEST(test_an_xgmi_queue_is_an_sdma_queue),
		FX_TEST(test_a_copy_as_rocr_submits_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
