/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define DST        FX_VA(FX_DATA)
#define RING_WORDS (FX_RING_BYTES / 4)

/* Append words to slot 0's ring; the write pointer only grows, in dwords. */
static void put(struct fixture *fx, const uint32_t *words, unsigned int n)
{
	uint64_t wptr = *fx_u64(fx, FX_WPTR);
	unsigned int i;

	for (i = 0; i < n; i++)
		fx_words(fx, FX_RING)[(wptr + i) % RING_WORDS] = words[i];
	*fx_u64(fx, FX_WPTR) = wptr + n;
}

#define PUT(fx, ...)                                                                               \
	put(fx, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static int setup(void **state)
{
	fx_setup(state);
	fx_queue(*state, GPU_QUEUE_PM4);
	return 0;
}

static uint32_t data(struct fixture *fx, unsigned int i)
{
	return fx_words(fx, FX_DATA)[i];
}

static uint32_t rptr(struct fixture *fx)
{
	return *fx_words(fx, FX_RPTR);
}

static void test_pointers_count_dwords(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_WRITE(5, DST, 1), 7, P_NOP1, 2u << 30, P_NOP(3), 0, 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 7);
	assert_int_equal(rptr(fx), 10);
	assert_int_equal(fx->ctrl->queue[0].rptr, 10);
	assert_int_equal(fx->ctrl->queue[0].packets, 4);
	fx_expect_no_irq(fx);
}

static void test_the_read_pointer_is_a_word_of_32_bits(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->queue[0].rptr_va = FX_VA(FX_RPTR + 4);
	*fx_u64(fx, FX_RPTR) = 0x1111;
	*fx_u64(fx, FX_RPTR + 8) = UINT64_C(0x2222222222222222);
	PUT(fx, P_NOP1, P_NOP1);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), UINT64_C(0x200001111));
	assert_int_equal(*fx_u64(fx, FX_RPTR + 8), UINT64_C(0x2222222222222222));
}

static void test_a_packet_may_lie_across_the_end_of_the_ring(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_WPTR) = RING_WORDS - 5;
	fx->ctrl->queue[0].rptr = RING_WORDS - 5;
	PUT(fx, P_WRITE(5, DST, 3), 1, 2, 3, P_WRITE(5, DST + 12, 1), 4);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 1);
	assert_int_equal(data(fx, 1), 2);
	assert_int_equal(data(fx, 2), 3);
	assert_int_equal(data(fx, 3), 4);
	assert_int_equal(rptr(fx), 7);
	assert_int_equal(*fx_u64(fx, FX_WPTR), RING_WORDS + 7);
}

static void test_the_ring_wraps_many_times(void **state)
{
	struct fixture *fx = *state;
	uint32_t i, at = 0;

	for (i = 1; i < 1000; i++) {
		PUT(fx, P_WRITE(5, DST, 1), i, P_NOP(2), 0);
		at = (at + 7) % RING_WORDS;
		assert_int_equal(fx_run(fx), 0);
		assert_int_equal(data(fx, 0), i);
		assert_int_equal(rptr(fx), at);
	}
}

static void test_a_write_pointer_that_wraps_works_too(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_WPTR) = RING_WORDS - 1;
	fx->ctrl->queue[0].rptr = RING_WORDS - 1;
	PUT(fx, P_NOP1, P_WRITE(5, DST, 1), 9);
	*fx_u64(fx, FX_WPTR) %= RING_WORDS;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 9);
	assert_int_equal(rptr(fx), 5);
}

static void test_a_whole_ring_ahead_is_nothing(void **state)
{
	struct fixture *fx = *state;

	*fx_u64(fx, FX_WPTR) = RING_WORDS;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->ctrl->queue[0].packets, 0);
	fx_expect_no_irq(fx);
}

static void test_half_a_packet_waits_for_the_rest(void **state)
{
	const uint32_t packet[] = { P_WRITE(5, DST, 1), 3 };
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		assert_int_equal(data(fx, 0), 0);
		put(fx, packet + i, 1);
		fx_ring(fx, 0);
		assert_true(gpu_engine_pending(fx->engine));
		assert_int_equal(fx_run(fx), 0);
		assert_false(gpu_engine_pending(fx->engine));
	}
	assert_int_equal(data(fx, 0), 3);
	fx_expect_no_irq(fx);
}

static void test_a_packet_that_no_ring_can_hold_is_refused(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_NOP(RING_WORDS));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, P_NOP(RING_WORDS), 0x10);
}

/* The longest there is room for: all but the word that tells full from empty. */
static void test_a_packet_may_fill_the_ring(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_NOP(RING_WORDS - 1));
	*fx_u64(fx, FX_WPTR) = RING_WORDS - 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), RING_WORDS - 1);
	fx_expect_no_irq(fx);
}

/* What the interrupt's receiver finds: the data, and the read pointer behind the packet. */
static void test_the_pointer_is_out_before_the_interrupt(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr = 7;
	fx->ctrl->irq_rptr -= GPU_IRQ_ENTRIES; /* the ring is full: nothing can be raised */
	PUT(fx, P_RELEASE(2, 2, DST, 5, 6), P_NOP1);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(data(fx, 0), 5);
	assert_int_equal(rptr(fx), 8);
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 6);
	assert_int_equal(rptr(fx), 9);
	assert_int_equal(fx->irq_calls, 1);
}

static void test_a_wait_blocks_its_queue_only(void **state)
{
	const uint32_t other[] = { P_WRITE(5, DST + 8, 1), 1 };
	struct fixture *fx = *state;

	PUT(fx, P_WAIT(3, DST, 1, 0xffffffff), P_WRITE(5, DST + 4, 1), 1);
	fx_queue_at(fx, 1, GPU_QUEUE_PM4, 0x9000, FX_IB, 4096);
	memcpy(fx->arena + FX_IB, other, sizeof(other));
	*fx_u64(fx, 0x9038) = 5;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(data(fx, 2), 1);
	assert_int_equal(data(fx, 1), 0);
	assert_int_equal(rptr(fx), 0);
	*fx_words(fx, FX_DATA) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 1), 1);
	assert_int_equal(rptr(fx), 12);
}

static void test_a_buffer_belongs_to_its_packet(void **state)
{
	const uint32_t inner[] = { P_WRITE(5, DST, 1), 1, P_WAIT(3, DST + 8, 1, 1),
				   P_IB(FX_VA(FX_IB + 0x1000), 5) };
	const uint32_t innermost[] = { P_WRITE(5, DST + 4, 1), 2 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB, inner, sizeof(inner));
	memcpy(fx->arena + FX_IB + 0x1000, innermost, sizeof(innermost));
	PUT(fx, P_NOP1, P_IB(FX_VA(FX_IB), 16), P_IB(FX_VA(FX_IB), 0), P_WRITE(5, DST + 12, 1), 3);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(data(fx, 0), 1);
	assert_int_equal(rptr(fx), 1);
	*fx_words(fx, FX_DATA + 8) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 1), 2);
	assert_int_equal(data(fx, 3), 3);
	assert_int_equal(rptr(fx), 14);
	assert_int_equal(fx->ctrl->queue[0].packets, 4);
}

static void test_a_chosen_buffer_belongs_to_its_packet_too(void **state)
{
	const uint32_t ib[] = { P_WRITE(5, DST, 1), 1 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	*fx_u64(fx, FX_DATA + 64) = 1;
	PUT(fx, P_HEADER(0x3f, 14), 1 | 3 << 8, FX_ADDR(DST + 64), FX_ADDR(UINT64_MAX), FX_ADDR(1),
	    FX_ADDR(FX_VA(FX_IB)), 5, 0, 0, 0, P_IB(FX_VA(FX_IB), 5), P_WRITE(5, DST + 4, 1), 2);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(fx_words(fx, FX_DATA)[0], 1);
	assert_int_equal(fx_words(fx, FX_DATA)[1], 2);
	assert_int_equal(rptr(fx), 23);
}

static void test_a_ring_cannot_chain(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_CHAIN(FX_VA(FX_IB), 4));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, P_HEADER(0x3f, 4), 0x3f);
	assert_int_equal(rptr(fx), 0);
}

static void stop_at_second_copy(struct fixture *fx)
{
	if (fx->copies == 2)
		fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_STOP);
}

static void stop_in_a_buffer(struct fixture *fx)
{
	const uint32_t ib[] = { P_WRITE(5, DST, 1), 1,
				P_DMA(0, FX_VA(VKF_MIB(2)), FX_VA(VKF_MIB(8)), VKF_MIB(3)),
				P_WRITE(5, DST + 4, 1), 2 };

	fx_pattern(fx, VKF_MIB(2), VKF_MIB(3), 4);
	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	PUT(fx, P_IB(FX_VA(FX_IB), 17));
	fx->on_copy = stop_at_second_copy;
	assert_int_equal(fx_run(fx), 0);
	fx->on_copy = NULL;
	assert_int_equal(fx->copies, 2);
	assert_int_equal(data(fx, 1), 0);
}

static void test_a_stopped_buffer_goes_on_where_it_was(void **state)
{
	struct fixture *fx = *state;

	stop_in_a_buffer(fx);
	*fx_words(fx, FX_DATA) = 0; /* would show that it began anew */
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->copies, 3);
	fx_check_pattern(fx, VKF_MIB(8), VKF_MIB(3), 4);
	assert_int_equal(data(fx, 0), 0);
	assert_int_equal(data(fx, 1), 2);
	assert_int_equal(rptr(fx), 4);
}

static void test_a_new_queue_begins_with_its_first_packet(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	stop_in_a_buffer(fx);
	fx_want(fx, cq, GPU_WANT_NONE);
	fx_run(fx);
	*fx_u64(fx, FX_WPTR) = 0;
	PUT(fx, P_WRITE(5, DST + 8, 1), 3);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 1), 0);
	assert_int_equal(data(fx, 2), 3);
	assert_int_equal(rptr(fx), 5);
}

static void test_a_taken_ring_comes_back_with_what_was_queued(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	PUT(fx, P_WRITE(5, DST, 1), 1);
	fx_run(fx);
	fx_want(fx, cq, GPU_WANT_STOP);
	fx_run(fx);
	cq->ring_va = cq->ring_bytes = 0;
	fx_want(fx, cq, GPU_WANT_RUN);
	PUT(fx, P_WRITE(5, DST, 1), 2);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 1);
	fx_want(fx, cq, GPU_WANT_STOP);
	fx_run(fx);
	cq->ring_va = FX_VA(FX_RING);
	cq->ring_bytes = FX_RING_BYTES;
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 2);
	assert_int_equal(rptr(fx), 10);
}

static void test_a_pointer_beyond_a_smaller_ring_wraps(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];
	const uint32_t packet[] = { P_WRITE(5, DST, 1), 3 };

	cq->rptr = RING_WORDS - 3;
	cq->ring_bytes = 1024;
	memcpy(fx_words(fx, FX_RING) + 253, packet, 12);
	memcpy(fx_words(fx, FX_RING), packet + 3, 8);
	*fx_u64(fx, FX_WPTR) = RING_WORDS + 2;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 3);
	assert_int_equal(rptr(fx), 2);
}

static void test_each_long_packet_begins_at_its_start(void **state)
{
	struct fixture *fx = *state;

	fx_pattern(fx, VKF_MIB(2), VKF_MIB(3), 4);
	PUT(fx, P_DMA(0, FX_VA(VKF_MIB(2)), FX_VA(VKF_MIB(6)), VKF_MIB(2)),
	    P_DMA(0, FX_VA(VKF_MIB(2)), FX_VA(VKF_MIB(9)), VKF_MIB(3)));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, VKF_MIB(6), VKF_MIB(2), 4);
	fx_check_pattern(fx, VKF_MIB(9), VKF_MIB(3), 4);
	assert_int_equal(rptr(fx), 14);
	assert_int_equal(fx->ctrl->queue[0].packets, 2);
}

static void test_registers_of_a_dispatch_are_kept(void **state)
{
	const uint32_t *sh = ((struct fixture *)*state)->engine->queue[0].sh;
	const uint32_t ib[] = { P_SET_SH(0x240, 2), 7, 8, P_SET_SH(0x27f, 1), 9 };
	struct fixture *fx = *state;

	memcpy(fx->arena + FX_IB, ib, sizeof(ib));
	PUT(fx, P_SET_SH(0x204, 3), 1, 2, 3, P_IB(FX_VA(FX_IB), 7), P_HEADER(0x76, 2), 0x200);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(sh[4], 1);
	assert_int_equal(sh[6], 3);
	assert_int_equal(sh[0x40], 7);
	assert_int_equal(sh[0x41], 8);
	assert_int_equal(sh[0x7f], 9);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_STOP);
	fx_run(fx);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_RUN);
	fx_run(fx);
	assert_int_equal(sh[0x41], 8);
}

static void test_a_new_queue_has_no_registers_of_the_old_one(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	PUT(fx, P_SET_SH(0x204, 1), 1);
	fx_run(fx);
	assert_int_equal(fx->engine->queue[0].sh[4], 1);
	/* Freed and taken between two looks of the engine. */
	fx_want(fx, cq, GPU_WANT_NONE);
	cq->packets = cq->rptr = 0;
	*fx_u64(fx, FX_WPTR) = 0;
	fx_want(fx, cq, GPU_WANT_RUN);
	fx_run(fx);
	assert_int_equal(fx->engine->queue[0].sh[4], 0);
}

static void test_a_dispatch_is_refused(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_NOP1, P_HEADER(0x15, 5), 1, 1, 1, 0x21, P_WRITE(5, DST, 1), 1);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, P_HEADER(0x15, 5), 0x15);
	assert_int_equal(rptr(fx), 1);
	assert_int_equal(data(fx, 0), 0);
}

static void test_a_fault_leaves_the_pointer_at_its_packet(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_NOP1, P_WRITE(5, 0x5000, 1), 1, P_WRITE(5, DST, 1), 1);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0x5000, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	assert_int_equal(rptr(fx), 1);
	assert_int_equal(data(fx, 0), 0);
}

static void test_what_other_dies_run_is_waited_for_whole(void **state)
{
	struct fixture *fx = *state;

	PUT(fx, P_PRED(7, 0xfe), P_WRITE(5, DST, 3), 1);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rptr(fx), 0);
	PUT(fx, 2, 3, P_WRITE(5, DST + 12, 1), 4);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(data(fx, 0), 0);
	assert_int_equal(data(fx, 3), 4);
	assert_int_equal(rptr(fx), 14);
}

#define PM4_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PM4_TEST(test_pointers_count_dwords),
		PM4_TEST(test_the_read_pointer_is_a_word_of_32_bits),
		PM4_TEST(test_a_packet_may_lie_across_the_end_of_the_ring),
		PM4_TEST(test_the_ring_wraps_many_times),
		PM4_TEST(test_a_write_pointer_that_wraps_works_too),
		PM4_TEST(test_a_whole_ring_ahead_is_nothing),
		PM4_TEST(test_half_a_packet_waits_for_the_rest),
		PM4_TEST(test_a_packet_that_no_ring_can_hold_is_refused),
		PM4_TEST(test_a_packet_may_fill_the_ring),
		PM4_TEST(test_the_pointer_is_out_before_the_interrupt),
		PM4_TEST(test_a_wait_blocks_its_queue_only),
		PM4_TEST(test_a_buffer_belongs_to_its_packet),
		PM4_TEST(test_a_chosen_buffer_belongs_to_its_packet_too),
		PM4_TEST(test_a_ring_cannot_chain),
		PM4_TEST(test_a_stopped_buffer_goes_on_where_it_was),
		PM4_TEST(test_a_new_queue_begins_with_its_first_packet),
		PM4_TEST(test_a_taken_ring_comes_back_with_what_was_queued),
		PM4_TEST(test_a_pointer_beyond_a_smaller_ring_wraps),
		PM4_TEST(test_each_long_packet_begins_at_its_start),
		PM4_TEST(test_registers_of_a_dispatch_are_kept),
		PM4_TEST(test_a_new_queue_has_no_registers_of_the_old_one),
		PM4_TEST(test_a_dispatch_is_refused),
		PM4_TEST(test_a_fault_leaves_the_pointer_at_its_packet),
		PM4_TEST(test_what_other_dies_run_is_waited_for_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
