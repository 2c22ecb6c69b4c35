/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define DST     FX_VA(FX_DATA)
#define SRC_OFF FX_DATA
#define DST_OFF VKF_MIB(8)

static void stop_at_second_copy(struct fixture *fx)
{
	if (fx->copies == 2)
		fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_STOP);
}

/* Begin a copy of 6 MiB and stop the queue in its second piece. */
static struct gpu_ctrl_queue *stop_in_the_middle(struct fixture *fx)
{
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	fx_pattern(fx, SRC_OFF, VKF_MIB(6), 1);
	FX_SDMA(fx, S_COPY(FX_VA(SRC_OFF), FX_VA(DST_OFF), VKF_MIB(6)), S_FENCE(FX_VA(0x40000), 1));
	fx->on_copy = stop_at_second_copy;
	assert_int_equal(fx_run(fx), 0);
	fx->on_copy = NULL;
	assert_int_equal(fx->copies, 2);
	assert_int_equal(cq->ack_seq, cq->want_seq);
	assert_int_equal(cq->rptr, 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(2), 1);
	assert_int_equal(fx->arena[DST_OFF + VKF_MIB(2) + 1], 0);
	return cq;
}

static void test_a_stop_is_obeyed_in_the_middle_of_a_copy(void **state)
{
	struct fixture *fx = *state;

	stop_in_the_middle(fx);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->copies, 2);
	assert_false(gpu_engine_pending(fx->engine));
}

static void test_a_copy_goes_on_where_it_was_stopped(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = stop_in_the_middle(fx);

	memset(fx->arena + DST_OFF, 0, VKF_MIB(2)); /* would show a second copy of it */
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->copies, 6);
	assert_int_equal(fx->arena[DST_OFF + 1], 0);
	assert_memory_equal(fx->arena + DST_OFF + VKF_MIB(2), fx->arena + SRC_OFF + VKF_MIB(2),
			    VKF_MIB(4));
	assert_int_equal(*fx_words(fx, 0x40000), 1);
}

static void test_a_new_queue_in_the_slot_inherits_no_progress(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = stop_in_the_middle(fx);

	memset(fx->arena + DST_OFF, 0, VKF_MIB(2));
	/* Destroyed and created anew between two looks of the engine. */
	fx_want(fx, cq, GPU_WANT_NONE);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(6), 1);
}

static void test_a_new_queue_that_was_seen_free_inherits_nothing(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = stop_in_the_middle(fx);

	memset(fx->arena + DST_OFF, 0, VKF_MIB(2));
	fx_want(fx, cq, GPU_WANT_NONE);
	fx_run(fx);
	assert_int_equal(cq->ack_seq, cq->want_seq);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(6), 1);
}

static void test_a_new_queue_begins_at_its_own_pointer(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	FX_SDMA(fx, S_NOP(0), S_FENCE(DST, 1));
	fx_run(fx);
	fx_want(fx, cq, GPU_WANT_STOP);
	fx_run(fx);
	/* A driver that forgot to count the freeing: the same ring, emptied and filled again. */
	cq->rptr = 0;
	*fx_u64(fx, FX_WPTR) = 0;
	FX_SDMA(fx, S_FENCE(DST, 2));
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 2);
	assert_int_equal(cq->rptr, 16);
	assert_int_equal(cq->packets, 3);
}

static void test_another_ring_drops_the_progress(void **state)
{
	const uint32_t copy[] = { S_COPY(FX_VA(SRC_OFF), FX_VA(DST_OFF), VKF_MIB(3)) };
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = stop_in_the_middle(fx);

	memset(fx->arena + DST_OFF, 0, VKF_MIB(2));
	memcpy(fx->arena + FX_IB, copy, sizeof(copy));
	cq->ring_va = FX_VA(FX_IB);
	*fx_u64(fx, FX_WPTR) = sizeof(copy);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(3), 1);
	assert_int_equal(cq->rptr, sizeof(copy));
}

static void test_a_ring_that_was_taken_away_comes_back(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	FX_SDMA(fx, S_FENCE(DST, 1));
	fx_run(fx);
	fx_want(fx, cq, GPU_WANT_STOP);
	fx_run(fx);
	cq->ring_va = 0;
	cq->ring_bytes = 0;
	fx_want(fx, cq, GPU_WANT_RUN);
	FX_SDMA(fx, S_FENCE(DST, 2));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_false(gpu_engine_pending(fx->engine));
	cq->ring_va = FX_VA(FX_RING);
	cq->ring_bytes = FX_RING_BYTES;
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 2);
	assert_int_equal(cq->rptr, 32);
}

static void test_a_poll_keeps_waiting_across_a_stop(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	FX_SDMA(fx, S_POLL(3, DST, 1, 1), S_FENCE(DST + 4, 1));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	fx_want(fx, cq, GPU_WANT_STOP);
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(fx_run(fx), 0);
	*fx_words(fx, FX_DATA) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA + 4), 0);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA + 4), 1);
}

static void test_every_change_is_acknowledged(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);
	static const enum gpu_queue_want wants[] = { GPU_WANT_STOP, GPU_WANT_STOP, GPU_WANT_RUN,
						     GPU_WANT_NONE, GPU_WANT_NONE, GPU_WANT_RUN };
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(wants); i++) {
		fx_want(fx, cq, wants[i]);
		assert_true(gpu_engine_pending(fx->engine));
		fx_run(fx);
		assert_int_equal(cq->ack_seq, cq->want_seq);
		assert_false(gpu_engine_pending(fx->engine));
	}
}

static void test_no_queue_has_more_than_its_turn(void **state)
{
	const uint32_t fence[] = { S_FENCE(DST, 1) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_u64(fx, FX_WPTR) = FX_RING_BYTES; /* a ring of NOPs */
	fx_queue_at(fx, 1, GPU_QUEUE_SDMA, 0x9000, FX_IB, 4096);
	memcpy(fx->arena + FX_IB, fence, sizeof(fence));
	*fx_u64(fx, 0x9038) = sizeof(fence);
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WORKED);
	assert_int_equal(fx->ctrl->queue[0].packets, GPU_STEP_BUDGET);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_true(gpu_engine_pending(fx->engine));
}

static void test_a_long_copy_shares_the_engine(void **state)
{
	const uint32_t fence[] = { S_FENCE(FX_VA(0x40000), 1) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_COPY(FX_VA(SRC_OFF), FX_VA(DST_OFF), VKF_MIB(7)));
	fx_queue_at(fx, 1, GPU_QUEUE_SDMA, 0x9000, FX_IB, 4096);
	memcpy(fx->arena + FX_IB, fence, sizeof(fence));
	*fx_u64(fx, 0x9038) = sizeof(fence);
	gpu_engine_step(fx->engine);
	assert_int_equal(fx->ctrl->queue[0].rptr, 0);
	assert_int_equal(*fx_words(fx, 0x40000), 1);
	fx_run(fx);
	assert_int_equal(fx->ctrl->queue[0].rptr, 28);
}

static void test_a_fault_leaves_the_other_queues_alone(void **state)
{
	const uint32_t fence[] = { S_FENCE(DST, 1) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(0, 1), S_FENCE(DST, 99));
	fx_queue_at(fx, 1, GPU_QUEUE_SDMA, 0x9000, FX_IB, 4096);
	memcpy(fx->arena + FX_IB, fence, sizeof(fence));
	*fx_u64(fx, 0x9038) = sizeof(fence);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, 0, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_int_equal(fx->ctrl->queue[1].error, GPU_QERR_NONE);
}

/* Not given up: the page may come back, and the driver says when to look. */
static void test_a_queue_waits_where_a_host_page_is_gone(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);
	struct gpu_irq irq;

	fx->lost = (uintptr_t)fx->arena + FX_DATA;
	fx->lost_end = fx->lost + 4096;
	FX_SDMA(fx, S_FENCE(DST, 7), S_FENCE(FX_VA(0x40000), 1));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(fx_run(fx), 0);
		assert_true(fx_irq(fx, &irq));
		assert_int_equal(irq.type, GPU_IRQ_VM_FAULT);
		assert_int_equal(irq.va, DST);
		assert_int_equal(irq.status & GPU_FAULT_HOST, GPU_FAULT_HOST);
		assert_int_equal(cq->error, GPU_QERR_NONE);
		assert_int_equal(cq->packets, 0);
		/* Nothing more comes of it by itself. */
		assert_int_equal(fx_run(fx), 0);
		assert_false(fx_irq(fx, &irq));
		fx_want(fx, cq, GPU_WANT_STOP);
		if (i == 0)
			assert_int_equal(fx_run(fx), 0);
		fx_want(fx, cq, GPU_WANT_RUN);
	}
	fx->lost = fx->lost_end = 0;
	assert_int_equal(fx_run(fx), 0);
	assert_false(fx_irq(fx, &irq));
	assert_int_equal(*fx_words(fx, FX_DATA), 7);
	assert_int_equal(*fx_words(fx, 0x40000), 1);
	assert_int_equal(cq->packets, 2);
}

static void test_a_queue_of_no_known_type_is_refused(void **state)
{
	struct fixture *fx = *state;
	struct gpu_irq irq;

	fx_queue(fx, GPU_QUEUE_SDMA_XGMI + 1);
	assert_int_equal(fx_run(fx), 0);
	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, GPU_IRQ_BAD_PACKET);
	assert_int_equal(fx->ctrl->queue[0].error, GPU_QERR_PACKET);
}

static void test_packets_of_another_dialect_are_refused(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);
	struct gpu_irq irq;

	fx->ctrl->vm[0].dialect = GPU_DIALECT_OTHER;
	assert_int_equal(fx_run(fx), 0);
	assert_false(fx_irq(fx, &irq));
	FX_SDMA(fx, S_FENCE(DST, 1));
	assert_int_equal(fx_run(fx), 0);
	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, GPU_IRQ_BAD_PACKET);
	assert_int_equal(cq->error, GPU_QERR_PACKET);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
}

static void test_impossible_parameters_run_nothing(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);
	unsigned int i;

	FX_SDMA(fx, S_FENCE(DST, 1));
	for (i = 0; i < 5; i++) {
		cq->gpu = i == 0 ? 2 : i == 1 ? UINT32_MAX : 0;
		cq->ring_bytes = i == 2 ? 3 : i == 3 ? 4098 : 4096;
		cq->type = i == 4 ? GPU_QUEUE_AQL : GPU_QUEUE_SDMA;
		if (i == 4)
			cq->ring_bytes = 4096 + 32;
		fx_want(fx, cq, GPU_WANT_RUN);
		assert_int_equal(fx_run(fx), 0);
		fx_expect_no_irq(fx);
		assert_int_equal(*fx_words(fx, FX_DATA), 0);
		assert_int_equal(cq->ack_seq, cq->want_seq);
		assert_false(gpu_engine_pending(fx->engine));
	}
}

static void test_parameters_changed_while_running_have_no_effect(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	fx_run(fx);
	cq->gpu = UINT32_MAX;
	cq->type = 77;
	cq->rptr = 12345;
	cq->rptr_va = cq->wptr_va = UINT64_MAX;
	FX_SDMA(fx, S_FENCE(DST, 1));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 16);
}

static struct gpu_engine_config config_of(struct fixture *fx)
{
	return (struct gpu_engine_config){
		fx->ctrl, fx->pt, fx->arena, fx->bar, fx->engine->ops, fx
	};
}

static void test_a_new_engine_takes_over(void **state)
{
	struct fixture *fx = *state;
	struct gpu_engine_config config = config_of(fx);

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1));
	fx_run(fx);
	/* The old one died in a section, with the interrupt ring locked. */
	fx->ctrl->worker[0].seq++;
	fx->ctrl->irq_lock = 1;
	memset(fx->storage, 0, gpu_engine_size());
	assert_int_equal(gpu_engine_init(fx->storage, &config, &fx->engine), 0);
	assert_int_equal(fx->ctrl->worker[0].seq & 1, 0);
	FX_SDMA(fx, S_FENCE(DST, 2), S_TRAP(5));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 2);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 5);
	assert_int_equal(fx->ctrl->queue[0].packets, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_stop_is_obeyed_in_the_middle_of_a_copy),
		FX_TEST(test_a_copy_goes_on_where_it_was_stopped),
		FX_TEST(test_a_new_queue_in_the_slot_inherits_no_progress),
		FX_TEST(test_a_new_queue_that_was_seen_free_inherits_nothing),
		FX_TEST(test_a_new_queue_begins_at_its_own_pointer),
		FX_TEST(test_another_ring_drops_the_progress),
		FX_TEST(test_a_ring_that_was_taken_away_comes_back),
		FX_TEST(test_a_poll_keeps_waiting_across_a_stop),
		FX_TEST(test_every_change_is_acknowledged),
		FX_TEST(test_no_queue_has_more_than_its_turn),
		FX_TEST(test_a_long_copy_shares_the_engine),
		FX_TEST(test_a_fault_leaves_the_other_queues_alone),
		FX_TEST(test_a_queue_waits_where_a_host_page_is_gone),
		FX_TEST(test_a_queue_of_no_known_type_is_refused),
		FX_TEST(test_packets_of_another_dialect_are_refused),
		FX_TEST(test_impossible_parameters_run_nothing),
		FX_TEST(test_parameters_changed_while_running_have_no_effect),
		FX_TEST(test_a_new_engine_takes_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
