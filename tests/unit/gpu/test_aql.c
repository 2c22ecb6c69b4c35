/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define SLOTS      (FX_RING_BYTES / 64)
#define SIG(i)     (FX_SIGNALS + (i)*64)
#define SIGNAL(i)  FX_VA(SIG(i))
#define INACTIVE   (FX_QUEUE + 0xc0)
#define PROPERTIES (FX_QUEUE + 0xb4)

/* Write a packet as a producer does: the body, then the header, then (here) the index. */
static void submit(struct fixture *fx, uint32_t header, const uint64_t body[7])
{
	uint64_t index = *fx_u64(fx, FX_WPTR), slot = FX_RING + index % SLOTS * 64;

	memcpy(fx->arena + slot + 8, body, 56);
	*fx_words(fx, slot) = header;
	*fx_u64(fx, FX_WPTR) = index + 1;
}

static void barrier(struct fixture *fx, uint32_t type, uint64_t dep0, uint64_t dep4,
		    uint64_t completion)
{
	submit(fx, type, (const uint64_t[7]){ dep0, 0, 0, 0, dep4, 0, completion });
}

static void barrier_value(struct fixture *fx, uint64_t signal, int64_t value, uint64_t mask,
			  uint32_t cond, uint64_t completion)
{
	submit(fx, 2u << 16, (const uint64_t[7]){ signal, value, mask, cond, 0, 0, completion });
}

static void pm4_ib(struct fixture *fx, uint64_t va, uint32_t words, uint64_t completion)
{
	const uint32_t jump[] = { P_IB(va, words) };
	uint64_t index = *fx_u64(fx, FX_WPTR), slot = FX_RING + index % SLOTS * 64;

	submit(fx, 1u << 16, (const uint64_t[7]){ 0, 0, 10, 0, 0, 0, completion });
	memcpy(fx->arena + slot + 4, jump, sizeof(jump));
}

static uint32_t header_at(struct fixture *fx, uint64_t index)
{
	return *fx_words(fx, FX_RING + index % SLOTS * 64);
}

static void signals(struct fixture *fx, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		*fx_u64(fx, SIG(i) + 8) = value;
}

static void test_a_barrier_without_dependencies_completes(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 5);
	barrier(fx, 3 | 1u << 8 | 2u << 9, 0, 0, SIGNAL(0));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, SIG(0) + 8), 4);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
	assert_int_equal(fx->ctrl->queue[0].rptr, 1);
	assert_int_equal(fx->ctrl->queue[0].packets, 1);
	assert_int_equal(header_at(fx, 0) & 0xff, 1);
	fx_expect_no_irq(fx);
}

static void test_barrier_and_waits_for_all(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1);
	barrier(fx, 3, SIGNAL(1), SIGNAL(2), SIGNAL(0));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*fx_u64(fx, SIG(2) + 8) = 0;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
	*fx_u64(fx, SIG(1) + 8) = 0;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, SIG(0) + 8), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
}

static void test_barrier_or_waits_for_any(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1);
	barrier(fx, 5, SIGNAL(1), SIGNAL(2), 0);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	*fx_u64(fx, SIG(2) + 8) = 0;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
}

static void test_barrier_or_of_nothing_is_never_satisfied(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier(fx, 5, 0, 0, 0);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
}

static void test_a_negative_value_is_not_zero(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, UINT64_C(1) << 63);
	barrier(fx, 3, SIGNAL(1), 0, 0);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
}

static void test_a_blocked_barrier_blocks_no_other_queue(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1);
	barrier(fx, 3, SIGNAL(1), 0, 0);
	fx_queue_at(fx, 1, GPU_QUEUE_SDMA, 0x9000, FX_IB, 4096);
	memcpy(fx->arena + FX_IB, (const uint32_t[]){ S_ATOMIC(47, SIGNAL(1) + 8, UINT64_MAX) },
	       32);
	*fx_u64(fx, 0x9038) = 32;
	fx_run(fx);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
}

static void test_an_invalid_slot_stops_the_reading(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	/* A producer has reserved two slots and filled the second. */
	*fx_u64(fx, FX_WPTR) = 1;
	barrier(fx, 3, 0, 0, 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
	assert_false(gpu_engine_pending(fx->engine));
	*fx_words(fx, FX_RING) = 3;
	assert_false(gpu_engine_pending(fx->engine));
	fx_ring(fx, 0);
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 2);
}

static void test_a_slot_beyond_the_write_index_is_not_read(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	*fx_words(fx, FX_RING) = 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->ctrl->queue[0].packets, 0);
	assert_false(gpu_engine_pending(fx->engine));
}

static void test_the_ring_is_used_again_and_again(void **state)
{
	struct fixture *fx = *state;
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1000);
	for (i = 0; i < 500; i++) {
		barrier(fx, 3, 0, 0, SIGNAL(0));
		if (i % 7 == 0)
			fx_run(fx);
	}
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 500);
	assert_int_equal(*fx_u64(fx, SIG(0) + 8), 500);
}

static void test_a_write_index_beyond_the_ring_is_fine(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier(fx, 3, 0, 0, 0);
	/* Producers reserve before there is room. */
	*fx_u64(fx, FX_WPTR) = SLOTS * 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
	*fx_u64(fx, FX_WPTR) = 0;
	*fx_words(fx, FX_RING + 64) = 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
}

static void test_completion_tells_the_event(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1);
	*fx_u64(fx, SIG(0) + 0x10) = FX_VA(FX_DATA + 16);
	*fx_words(fx, SIG(0) + 0x18) = 77;
	*fx_u64(fx, FX_DATA + 16) = UINT64_MAX;
	barrier(fx, 3, 0, 0, SIGNAL(0));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_DATA + 16), 77);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 77);
	fx_expect_no_irq(fx);
}

static void test_times_are_written_when_profiling_is_on(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1);
	fx->now_ns = 5000000;
	barrier(fx, 3, 0, 0, SIGNAL(0));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x20), 0);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x28), 0);
	*fx_words(fx, PROPERTIES) = 8;
	barrier(fx, 3, 0, 0, SIGNAL(0));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x20), 500000);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x28), 500000);
}

static void test_a_queue_without_amd_queue_gets_times(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_AQL);

	cq->rptr_va += 8;
	signals(fx, 1);
	barrier(fx, 3, 0, 0, SIGNAL(0));
	fx_run(fx);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x28), fx->now_ns / 10);
	assert_int_equal(*fx_u64(fx, FX_RPTR + 8), 1);
}

static void test_barrier_value_compares_signed_and_masked(void **state)
{
	static const struct {
		uint64_t now, mask;
		int64_t value;
		uint32_t cond;
		bool holds;
	} cases[] = {
		{ 5, UINT64_MAX, 5, 0, true },
		{ 5, UINT64_MAX, 6, 0, false },
		{ 0xf5, 0xf, 5, 0, true },
		{ 5, UINT64_MAX, 5, 1, false },
		{ 4, UINT64_MAX, 5, 1, true },
		{ (uint64_t)-1, UINT64_MAX, 0, 2, true },
		{ 1, UINT64_MAX, 1, 2, false },
		{ 1, UINT64_MAX, 1, 3, true },
		{ (uint64_t)-1, UINT64_MAX, 0, 3, false },
		{ 2, UINT64_MAX, -3, 3, true },
	};
	struct fixture *fx = *state;
	uint64_t done = 0;
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_AQL);
	for (i = 0; i < VKF_ARRAY_SIZE(cases); i++) {
		*fx_u64(fx, SIG(1) + 8) = cases[i].now;
		barrier_value(fx, SIGNAL(1), cases[i].value, cases[i].mask, cases[i].cond, 0);
		assert_int_equal(fx_run(fx), cases[i].holds ? 0 : GPU_STEP_WAITING);
		done += cases[i].holds;
		assert_int_equal(*fx_u64(fx, FX_RPTR), done);
		if (!cases[i].holds) {
			/* Make it hold, whatever it is. */
			*fx_u64(fx, SIG(1) + 8) = cases[i].cond == 0 ? (uint64_t)cases[i].value
						  : cases[i].cond == 1
							  ? (uint64_t)cases[i].value + 1
						  : cases[i].cond == 2 ? (uint64_t)-100
								       : 100;
			assert_int_equal(fx_run(fx), 0);
			done++;
		}
	}
	barrier_value(fx, 0, 1, 0, 0, 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), done + 1);
}

static void test_a_vendor_packet_runs_its_indirect_buffer(void **state)
{
	const uint32_t ib[] = { P_ACQUIRE, P_NOP1, P_WRITE(5, FX_VA(FX_DATA), 1), 99 };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	signals(fx, 1);
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	pm4_ib(fx, FX_VA(FX_IB), sizeof(ib) / 4, SIGNAL(0));
	barrier(fx, 3, SIGNAL(0), 0, SIGNAL(1));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 99);
	assert_int_equal(*fx_u64(fx, SIG(0) + 8), 0);
	assert_int_equal(*fx_u64(fx, SIG(1) + 8), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 2);
}

static void test_each_packet_has_its_own_times(void **state)
{
	const uint32_t ib[] = { P_WAIT(3, FX_VA(FX_DATA), 1, 1) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	*fx_words(fx, PROPERTIES) = 8;
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	pm4_ib(fx, FX_VA(FX_IB), sizeof(ib) / 4, SIGNAL(0));
	barrier(fx, 3, 0, 0, SIGNAL(1));
	fx->now_ns = 1000;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx->now_ns = 3000;
	*fx_words(fx, FX_DATA) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x20), 100);
	assert_int_equal(*fx_u64(fx, SIG(0) + 0x28), 300);
	assert_int_equal(*fx_u64(fx, SIG(1) + 0x20), 300);
	assert_int_equal(*fx_u64(fx, SIG(1) + 0x28), 300);
}

static void test_a_slot_rewritten_under_way_leaves_nothing_behind(void **state)
{
	const uint32_t ib[] = { P_WAIT(3, FX_VA(FX_DATA), 1, 1) };
	const uint32_t next[] = { P_WRITE(5, FX_VA(FX_DATA + 8), 1), 2 };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	memcpy(fx->arena + FX_IB + 0x100, next, sizeof(next));
	pm4_ib(fx, FX_VA(FX_IB), sizeof(ib) / 4, 0);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	/* Against all rules: the packet becomes a barrier with nothing to wait for. */
	memset(fx->arena + FX_RING + 4, 0, 60);
	*fx_words(fx, FX_RING) = 3;
	pm4_ib(fx, FX_VA(FX_IB + 0x100), sizeof(next) / 4, 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA + 8), 2);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 2);
}

static void test_two_interrupts_of_a_packet_arrive_in_order(void **state)
{
	const uint32_t ib[] = { P_RELEASE(0, 1, 0, 0, 11) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	*fx_u64(fx, SIG(0) + 0x10) = FX_VA(FX_DATA);
	*fx_words(fx, SIG(0) + 0x18) = 22;
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	pm4_ib(fx, FX_VA(FX_IB), sizeof(ib) / 4, SIGNAL(0));
	/* Room for one. */
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr - (GPU_IRQ_ENTRIES - 1);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr - 1;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 11);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 22);
	fx_expect_no_irq(fx);
}

static void test_an_empty_indirect_buffer_completes(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	pm4_ib(fx, 0, 0, 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
}

/* Refused: the interrupt, the error, the code in the inactive signal and its event. */
static void expect_refused(struct fixture *fx, uint32_t header, uint64_t code)
{
	*fx_u64(fx, INACTIVE) = SIGNAL(7);
	*fx_u64(fx, SIG(7) + 0x10) = FX_VA(FX_DATA + 8);
	*fx_words(fx, SIG(7) + 0x18) = 31;
	signals(fx, 0);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, header, header & 0xff);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 31);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, SIG(7) + 8), code);
	assert_int_equal(*fx_u64(fx, FX_DATA + 8), 31);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
	assert_int_equal(header_at(fx, 0), header);
}

static void dispatch(struct fixture *fx, uint32_t dimensions, uint32_t group, uint32_t grid,
		     uint32_t group_bytes, uint64_t kernel)
{
	const uint64_t body[7] = { 1 | (uint64_t)grid << 32,
				   1 | UINT64_C(1) << 32,
				   (uint64_t)group_bytes << 32,
				   kernel,
				   0,
				   0,
				   SIGNAL(0) };
	uint64_t slot = FX_RING + *fx_u64(fx, FX_WPTR) % SLOTS * 64;

	submit(fx, 2 | 1u << 8 | dimensions << 16, body);
	fx_words(fx, slot)[1] = group | 1u << 16;
}

static void test_a_kernel_dispatch_is_refused_loudly(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	dispatch(fx, 1, 64, 1, 65536, 0x1000);
	expect_refused(fx, 2 | 1u << 8 | 1u << 16, 0x40000000);
	assert_int_equal(*fx_u64(fx, SIG(0) + 8), 0);
}

static void test_a_dispatch_is_checked_before_its_code_is_looked_at(void **state)
{
	static const struct {
		uint32_t dimensions, group, grid, group_bytes, kernel, error;
	} t[] = {
		{ 0, 64, 1, 0, 1, 2 },     { 4, 64, 1, 0, 1, 2 },    { 1, 64, 0, 0, 1, 2 },
		{ 3, 0, 1, 0, 1, 64 },     { 3, 1025, 1, 0, 1, 64 }, { 2, 64, 1, 65537, 1, 4 },
		{ 2, 64, 1, 65536, 0, 8 },
	};
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(t); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_AQL);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		dispatch(fx, t[i].dimensions, t[i].group, t[i].grid, t[i].group_bytes, t[i].kernel);
		expect_refused(fx, 2 | 1u << 8 | t[i].dimensions << 16, t[i].error);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

static void test_an_agent_dispatch_is_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	submit(fx, 4, (const uint64_t[7]){ 0 });
	expect_refused(fx, 4, 32);
}

static void test_unknown_types_are_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	submit(fx, 0xff, (const uint64_t[7]){ 0 });
	expect_refused(fx, 0xff, 32);
}

/* As ROCr asks a gfx8 GPU to run a buffer: padding, the jump, and what ends the slot. */
static void put_pm4_slot(struct fixture *fx, uint32_t ib_words)
{
	const uint32_t slot[16] = { P_NOP(5), [5] = P_IB(FX_VA(FX_IB), ib_words), P_HEADER(0x49, 7),
				    0x700 };

	memcpy(fx->arena + FX_RING, slot, sizeof(slot));
	*fx_u64(fx, FX_WPTR) = 1;
}

static void test_a_slot_of_gfx8_may_hold_pm4(void **state)
{
	const uint32_t ib[] = { P_WRITE(5, FX_VA(FX_DATA), 1), 7,
				P_WAIT(3, FX_VA(FX_DATA + 8), 1, 1) };
	struct fixture *fx = *state;

	fx->ctrl->vm[0].dialect = GPU_DIALECT_GFX8;
	fx_queue(fx, GPU_QUEUE_AQL);
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	put_pm4_slot(fx, 12);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 0);
	*fx_words(fx, FX_DATA + 8) = 1;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
	assert_int_equal(*fx_words(fx, FX_RING) & 0xff, 1);
}

static void test_a_slot_of_gfx9_holds_no_pm4(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	put_pm4_slot(fx, 0);
	expect_refused(fx, P_NOP(5), 0x100);
}

static void test_unknown_vendor_formats_are_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	submit(fx, 9u << 16, (const uint64_t[7]){ 0 });
	expect_refused(fx, 9u << 16, 256);
}

static void test_an_unknown_condition_is_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier_value(fx, SIGNAL(1), 0, 0, 4, 0);
	expect_refused(fx, 2u << 16, 256);
}

static void test_misaligned_signals_are_refused(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier(fx, 3, 0, SIGNAL(1) + 4, 0);
	expect_refused(fx, 3, 32);
}

static void test_a_misaligned_completion_is_refused_before_anything_runs(void **state)
{
	const uint32_t ib[] = { P_WRITE(5, FX_VA(FX_DATA), 1), 99 };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	pm4_ib(fx, FX_VA(FX_IB), sizeof(ib) / 4, SIGNAL(0) + 1);
	expect_refused(fx, 1u << 16, 32);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
}

static void test_a_refusal_without_inactive_signal_is_still_told(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	submit(fx, 2, (const uint64_t[7]){ 0 });
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, 2, 2);
	fx_expect_no_irq(fx);
}

static void test_a_wild_inactive_signal_does_no_more_harm(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	*fx_u64(fx, INACTIVE) = 0x123456780;
	submit(fx, 2, (const uint64_t[7]){ 0 });
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, 2, 2);
	fx_expect_no_irq(fx);
}

static void test_unreachable_signals_fault(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier(fx, 3, 0x123456000, 0, 0);
	fx_run(fx);
	fx_expect_fault(fx, 0x123456000, GPU_FAULT_NOT_PRESENT);
}

static void test_an_unreachable_completion_faults(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier(fx, 3, 0, 0, 0x123456000);
	fx_run(fx);
	fx_expect_fault(fx, 0x123456000, GPU_FAULT_NOT_PRESENT);
}

static void test_an_unreachable_ring_faults(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	barrier(fx, 3, 0, 0, 0);
	fx_unmap(fx, 0, FX_VA(FX_RING));
	fx_run(fx);
	fx_expect_fault(fx, FX_VA(FX_RING), GPU_FAULT_NOT_PRESENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_barrier_without_dependencies_completes),
		FX_TEST(test_barrier_and_waits_for_all),
		FX_TEST(test_barrier_or_waits_for_any),
		FX_TEST(test_barrier_or_of_nothing_is_never_satisfied),
		FX_TEST(test_a_negative_value_is_not_zero),
		FX_TEST(test_a_blocked_barrier_blocks_no_other_queue),
		FX_TEST(test_an_invalid_slot_stops_the_reading),
		FX_TEST(test_a_slot_beyond_the_write_index_is_not_read),
		FX_TEST(test_the_ring_is_used_again_and_again),
		FX_TEST(test_a_write_index_beyond_the_ring_is_fine),
		FX_TEST(test_completion_tells_the_event),
		FX_TEST(test_times_are_written_when_profiling_is_on),
		FX_TEST(test_a_queue_without_amd_queue_gets_times),
		FX_TEST(test_barrier_value_compares_signed_and_masked),
		FX_TEST(test_a_vendor_packet_runs_its_indirect_buffer),
		FX_TEST(test_each_packet_has_its_own_times),
		FX_TEST(test_a_slot_rewritten_under_way_leaves_nothing_behind),
		FX_TEST(test_two_interrupts_of_a_packet_arrive_in_order),
		FX_TEST(test_an_empty_indirect_buffer_completes),
		FX_TEST(test_a_kernel_dispatch_is_refused_loudly),
		FX_TEST(test_a_dispatch_is_checked_before_its_code_is_looked_at),
		FX_TEST(test_an_agent_dispatch_is_refused),
		FX_TEST(test_unknown_types_are_refused),
		FX_TEST(test_a_slot_of_gfx9_holds_no_pm4),
		FX_TEST(test_a_slot_of_gfx8_may_hold_pm4),
		FX_TEST(test_unknown_vendor_formats_are_refused),
		FX_TEST(test_an_unknown_condition_is_refused),
		FX_TEST(test_misaligned_signals_are_refused),
		FX_TEST(test_a_misaligned_completion_is_refused_before_anything_runs),
		FX_TEST(test_a_refusal_without_inactive_signal_is_still_told),
		FX_TEST(test_a_wild_inactive_signal_does_no_more_harm),
		FX_TEST(test_unreachable_signals_fault),
		FX_TEST(test_an_unreachable_completion_faults),
		FX_TEST(test_an_unreachable_ring_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
