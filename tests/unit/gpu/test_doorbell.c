/* SPDX-License-Identifier: MIT */
#include "packets.h"
#include "gpu/doorbell.h"

static bool pending(struct fixture *fx)
{
	return gpu_doorbell_pending(&fx->engine->worker[0], &fx->engine->queue[0]);
}

static void test_a_queue_that_was_never_looked_at_is_pending(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	assert_true(pending(fx));
	fx_run(fx);
	assert_false(pending(fx));
}

static void test_a_moved_write_pointer_is_pending_until_a_step(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_run(fx);
	FX_SDMA(fx, S_NOP(0));
	assert_true(pending(fx));
	assert_true(pending(fx));
	fx_run(fx);
	assert_false(pending(fx));
}

static void test_the_doorbell_itself_says_nothing(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_run(fx);
	*(uint64_t *)(fx->bar + fx->ctrl->queue[0].doorbell) = 16;
	assert_false(pending(fx));
}

static void test_an_aql_packet_is_pending_once_its_type_is_there(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_AQL);
	fx_run(fx);
	*fx_u64(fx, FX_WPTR) = 1;
	assert_false(pending(fx));
	*fx_words(fx, FX_RING) = 3;
	assert_true(pending(fx));
	fx_run(fx);
	assert_false(pending(fx));
}

static void test_a_blocked_queue_is_not_pending(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_POLL(3, FX_VA(FX_DATA), 1, 1));
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	FX_SDMA(fx, S_NOP(0));
	assert_false(pending(fx));
}

static void test_a_stopped_queue_is_not_pending(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	fx_want(fx, cq, GPU_WANT_STOP);
	fx_run(fx);
	FX_SDMA(fx, S_NOP(0));
	assert_false(pending(fx));
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_true(pending(fx));
}

static void test_what_was_left_before_a_stop_is_pending_after_it(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	FX_SDMA(fx, S_NOP(0));
	*fx_u64(fx, FX_WPTR) = 4 * (GPU_STEP_BUDGET + 1);
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WORKED);
	fx_want(fx, cq, GPU_WANT_STOP);
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WORKED);
	assert_int_equal(cq->rptr, 4 * (GPU_STEP_BUDGET + 1));
	assert_false(pending(fx));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_queue_that_was_never_looked_at_is_pending),
		FX_TEST(test_a_moved_write_pointer_is_pending_until_a_step),
		FX_TEST(test_the_doorbell_itself_says_nothing),
		FX_TEST(test_an_aql_packet_is_pending_once_its_type_is_there),
		FX_TEST(test_a_blocked_queue_is_not_pending),
		FX_TEST(test_a_stopped_queue_is_not_pending),
		FX_TEST(test_what_was_left_before_a_stop_is_pending_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
