/* SPDX-License-Identifier: MIT */
#include "packets.h"
#include "gpu/doorbell.h"

static volatile uint64_t *door(struct fixture *fx, uint32_t slot)
{
	return (volatile uint64_t *)(fx->bar + fx->ctrl->queue[slot].doorbell);
}

static void test_any_value_rings_even_the_same_again(void **state)
{
	static const uint64_t values[] = { 0, 0, 5, 5, UINT64_MAX - 1, UINT64_C(0xffffffff) };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_run(fx);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(values); i++) {
		assert_false(gpu_doorbell_rung(fx->engine, 0));
		assert_false(gpu_doorbell_take(fx->engine, 0));
		*door(fx, 0) = values[i];
		assert_true(gpu_doorbell_rung(fx->engine, 0));
		assert_true(gpu_doorbell_take(fx->engine, 0));
		assert_int_equal(*door(fx, 0), GPU_DOORBELL_REST);
	}
}

static void test_half_a_store_rings(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_run(fx);
	*(volatile uint32_t *)door(fx, 0) = 16;
	assert_true(gpu_doorbell_take(fx->engine, 0));
	assert_int_equal(*door(fx, 0), GPU_DOORBELL_REST);
}

static void test_narrow_doorbells_have_their_own_word(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_AQL);
	volatile uint32_t *word = (volatile uint32_t *)fx->bar;

	fx->ctrl->vm[0].doorbell_bytes = 4;
	cq->doorbell = 4;
	gpu_doorbell_bind(fx->engine, 0);
	word[0] = word[1] = word[2] = 7;
	assert_true(gpu_doorbell_take(fx->engine, 0));
	assert_int_equal(word[0], 7);
	assert_int_equal(word[1], UINT32_MAX);
	assert_int_equal(word[2], 7);
	assert_false(gpu_doorbell_rung(fx->engine, 0));
}

static void test_a_doorbell_that_lies_nowhere_is_never_rung(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);
	static const uint32_t bad[] = { 4, 1, GPU_MAX_GPUS * GPU_BAR_STRIDE,
					GPU_MAX_GPUS * GPU_BAR_STRIDE - 4, UINT32_MAX & ~7u };

	memset(fx->bar, 0x11, 64);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		cq->doorbell = bad[i];
		gpu_doorbell_bind(fx->engine, 0);
		assert_false(gpu_doorbell_rung(fx->engine, 0));
		assert_false(gpu_doorbell_take(fx->engine, 0));
	}
	cq->doorbell = GPU_MAX_GPUS * GPU_BAR_STRIDE - 8;
	gpu_doorbell_bind(fx->engine, 0);
	assert_true(gpu_doorbell_rung(fx->engine, 0));
	cq->doorbell = 0;
}

static void test_a_stale_ring_runs_nothing_of_a_new_queue(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

	FX_SDMA(fx, S_FENCE(FX_VA(FX_DATA), 1));
	fx_run(fx);
	fx_want(fx, cq, GPU_WANT_NONE);
	fx_run(fx);
	*fx_words(fx, FX_DATA) = 0;
	cq->rptr = cq->packets = 0;
	*fx_u64(fx, FX_WPTR) = *fx_u64(fx, FX_RPTR) = 0;
	*door(fx, 0) = 16; /* the old queue's, after its end */
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
	assert_int_equal(*door(fx, 0), GPU_DOORBELL_REST);
	assert_false(gpu_engine_pending(fx->engine));
}

static void test_takings_are_counted(void **state)
{
	struct fixture *fx = *state;
	uint32_t before;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_run(fx);
	before = gpu_engine_rings(fx->engine);
	gpu_doorbell_take(fx->engine, 0);
	assert_int_equal(gpu_engine_rings(fx->engine), before);
	fx_ring(fx, 0);
	gpu_doorbell_take(fx->engine, 0);
	assert_int_equal(gpu_engine_rings(fx->engine), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_any_value_rings_even_the_same_again),
		FX_TEST(test_half_a_store_rings),
		FX_TEST(test_narrow_doorbells_have_their_own_word),
		FX_TEST(test_a_doorbell_that_lies_nowhere_is_never_rung),
		FX_TEST(test_a_stale_ring_runs_nothing_of_a_new_queue),
		FX_TEST(test_takings_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
