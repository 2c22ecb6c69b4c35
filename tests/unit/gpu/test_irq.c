/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define SLOTS    4096
#define FULL(fx) ((fx)->ctrl->irq_rptr = (fx)->ctrl->irq_wptr - GPU_IRQ_ENTRIES)

static uint64_t *slot(struct fixture *fx, unsigned int id)
{
	return fx_u64(fx, FX_EVENTS) + id;
}

static int setup(void **state)
{
	struct fixture *fx;

	fx_setup(state);
	fx = *state;
	memset(slot(fx, 0), 0xff, SLOTS * 8);
	fx->ctrl->event_page = FX_EVENTS + 1;
	fx->ctrl->event_slots = SLOTS;
	fx_queue(fx, GPU_QUEUE_SDMA);
	return 0;
}

static void test_a_written_slot_is_raised_and_reset(void **state)
{
	struct fixture *fx = *state;

	*slot(fx, 5) = 5;
	*slot(fx, 6) = 6;
	FX_SDMA(fx, S_TRAP(5));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 5);
	fx_expect_no_irq(fx);
	assert_int_equal(*slot(fx, 5), UINT64_MAX);
	assert_int_equal(*slot(fx, 6), 6);
}

static void test_a_context_of_no_slot_raises_all_that_were_written(void **state)
{
	static const uint32_t contexts[] = { 0, SLOTS, 0xfffffff, 7 /* not written */ };
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(contexts); i++) {
		*slot(fx, 0) = 1; /* never a signal */
		*slot(fx, 1) = 0;
		*slot(fx, 9) = 9;
		*slot(fx, SLOTS - 1) = 1;
		FX_SDMA(fx, S_TRAP(contexts[i]));
		assert_int_equal(fx_run(fx), 0);
		fx_expect_irq(fx, GPU_IRQ_EVENT, 1);
		fx_expect_irq(fx, GPU_IRQ_EVENT, 9);
		fx_expect_irq(fx, GPU_IRQ_EVENT, SLOTS - 1);
		fx_expect_no_irq(fx);
		assert_int_equal(*slot(fx, 9), UINT64_MAX);
		assert_int_equal(*slot(fx, 0), 1);
	}
}

static void test_nothing_written_raises_nothing(void **state)
{
	struct fixture *fx = *state;

	FX_SDMA(fx, S_TRAP(3));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(fx->irq_calls, 0);
}

static void test_without_a_page_the_context_is_passed_on(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->event_page = 0;
	FX_SDMA(fx, S_TRAP(0), S_TRAP(12345));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 12345);
	fx_expect_no_irq(fx);
}

static void test_a_page_outside_the_arena_is_none(void **state)
{
	static const struct {
		uint64_t page;
		uint32_t slots;
	} bad[] = {
		{ FX_ARENA_BYTES + 1, 1 }, { FX_ARENA_BYTES - 8 + 1, 2 },
		{ UINT64_MAX, 1 },         { 4 + 1, 10 },
		{ 1, UINT32_MAX },
	};
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		fx->ctrl->event_page = bad[i].page;
		fx->ctrl->event_slots = bad[i].slots;
		FX_SDMA(fx, S_TRAP(1000 + i));
		assert_int_equal(fx_run(fx), 0);
		fx_expect_irq(fx, GPU_IRQ_EVENT, 1000 + i);
	}
}

static void test_no_more_slots_than_the_kernel_has_are_looked_at(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->event_slots = SLOTS * 2;
	*slot(fx, SLOTS + 5) = 1;
	FX_SDMA(fx, S_TRAP(SLOTS + 5));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	*slot(fx, SLOTS + 5) = 0;
}

static void test_a_full_ring_loses_nothing(void **state)
{
	struct fixture *fx = *state;
	unsigned int i;

	fx->ctrl->event_page = 0;
	for (i = 0; i < 100; i++)
		FX_SDMA(fx, S_TRAP(i));
	FULL(fx);
	/* The packet is over and its read pointer is out; the queue waits with its interrupt. */
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 8);
	assert_false(gpu_engine_pending(fx->engine));
	fx->ctrl->irq_rptr += 3;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr - 3;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 800);
	for (i = 0; i < 100; i++)
		fx_expect_irq(fx, GPU_IRQ_EVENT, i);
	fx_expect_no_irq(fx);
}

static void test_a_full_ring_keeps_the_slots(void **state)
{
	struct fixture *fx = *state;
	unsigned int id;

	for (id = 1; id < SLOTS; id++)
		*slot(fx, id) = id;
	FX_SDMA(fx, S_TRAP(0));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	for (id = 1; id < SLOTS; id++) {
		fx_run(fx);
		fx_expect_irq(fx, GPU_IRQ_EVENT, id);
	}
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
}

static void test_a_full_ring_stops_only_who_has_something_to_say(void **state)
{
	const uint32_t fence[] = { S_FENCE(FX_VA(FX_DATA), 1) };
	struct fixture *fx = *state;

	fx_queue_at(fx, 1, GPU_QUEUE_SDMA, 0x9000, FX_IB, 4096);
	memcpy(fx->arena + FX_IB, fence, sizeof(fence));
	*fx_u64(fx, 0x9038) = sizeof(fence);
	FX_SDMA(fx, 0xff);
	FULL(fx);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	/* A queue that was given up says so as soon as it can. */
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_bad(fx, 0xff, 0xff);
}

static void test_a_stop_is_obeyed_while_the_ring_is_full(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	fx->ctrl->event_page = 0;
	FX_SDMA(fx, S_TRAP(1), S_TRAP(2));
	FULL(fx);
	fx_run(fx);
	fx_want(fx, cq, GPU_WANT_STOP);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(cq->ack_seq, cq->want_seq);
	/* What was raised before the stop arrives, what was not waits. */
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 1);
	fx_expect_no_irq(fx);
	fx_want(fx, cq, GPU_WANT_RUN);
	fx_run(fx);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 2);
}

static void test_a_freed_queue_takes_its_interrupts_along(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[0];

	FX_SDMA(fx, 0xff);
	FULL(fx);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx_want(fx, cq, GPU_WANT_NONE);
	assert_int_equal(fx_run(fx), 0);
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
}

static void test_the_ring_counters_may_wrap(void **state)
{
	struct fixture *fx = *state;
	unsigned int i;

	fx->ctrl->event_page = 0;
	fx->ctrl->irq_wptr = fx->ctrl->irq_rptr = UINT32_MAX - 2;
	for (i = 0; i < 6; i++)
		FX_SDMA(fx, S_TRAP(i));
	assert_int_equal(fx_run(fx), 0);
	for (i = 0; i < 6; i++)
		fx_expect_irq(fx, GPU_IRQ_EVENT, i);
	fx_expect_no_irq(fx);
}

static void test_scribbled_ring_words_only_delay(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->event_page = 0;
	FX_SDMA(fx, S_TRAP(1));
	fx->ctrl->irq_lock = 1;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx->ctrl->irq_lock = 0;
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr + 12345;
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx->ctrl->irq_rptr = fx->ctrl->irq_wptr;
	assert_int_equal(fx_run(fx), 0);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 1);
}

static void test_a_vanished_page_does_no_harm(void **state)
{
	struct fixture *fx = *state;

	fx->lost = (uintptr_t)fx->arena;
	fx->lost_end = fx->lost + 4096;
	FX_SDMA(fx, S_TRAP(1), S_FENCE(FX_VA(FX_DATA), 1));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	fx_expect_no_irq(fx);
}

static void test_a_fault_says_who_where_and_how(void **state)
{
	struct fixture *fx = *state;
	struct gpu_irq irq;

	fx_map(fx, 1, FX_VA(0), GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 1, FX_VA(FX_QUEUE), FX_QUEUE | GPU_BACKING_ARENA, FX_RW);
	fx_queue_at(fx, 3, GPU_QUEUE_SDMA, FX_QUEUE, 0x40000, 4096);
	fx->ctrl->queue[3].gpu = 1;
	*fx_u64(fx, FX_WPTR) = 4;
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_STOP);
	fx_run(fx);
	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, GPU_IRQ_VM_FAULT);
	assert_int_equal(irq.gpu, 1);
	assert_int_equal(irq.slot, 3);
	assert_int_equal(irq.va, FX_VA(0x40000));
	assert_int_equal(irq.status, GPU_FAULT_NOT_PRESENT);
}

static void test_an_address_that_is_not_canonical_is_told_as_48_bits(void **state)
{
	struct fixture *fx = *state;

	FX_SDMA(fx, S_FENCE(UINT64_C(0xffff123456789abc), 1));
	fx_run(fx);
	fx_expect_fault(fx, UINT64_C(0x123456789000), GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
}

#define IRQ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IRQ_TEST(test_a_written_slot_is_raised_and_reset),
		IRQ_TEST(test_a_context_of_no_slot_raises_all_that_were_written),
		IRQ_TEST(test_nothing_written_raises_nothing),
		IRQ_TEST(test_without_a_page_the_context_is_passed_on),
		IRQ_TEST(test_a_page_outside_the_arena_is_none),
		IRQ_TEST(test_no_more_slots_than_the_kernel_has_are_looked_at),
		IRQ_TEST(test_a_full_ring_loses_nothing),
		IRQ_TEST(test_a_full_ring_keeps_the_slots),
		IRQ_TEST(test_a_full_ring_stops_only_who_has_something_to_say),
		IRQ_TEST(test_a_stop_is_obeyed_while_the_ring_is_full),
		IRQ_TEST(test_a_freed_queue_takes_its_interrupts_along),
		IRQ_TEST(test_the_ring_counters_may_wrap),
		IRQ_TEST(test_scribbled_ring_words_only_delay),
		IRQ_TEST(test_a_vanished_page_does_no_harm),
		IRQ_TEST(test_a_fault_says_who_where_and_how),
		IRQ_TEST(test_an_address_that_is_not_canonical_is_told_as_48_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
