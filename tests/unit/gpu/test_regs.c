/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/regs.h"

static void test_a_queue_has_its_own_dispatch_registers(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue *q = fx->engine->queue;
	uint32_t *a = gpu_reg_find(&fx->engine->worker[0], &q[0], 0x2e00);
	uint32_t *b = gpu_reg_find(&fx->engine->worker[0], &q[1], 0x2e00);

	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(gpu_reg_find(&fx->engine->worker[0], &q[0], 0x2e7f), a + 0x7f);
}

static void test_a_gpu_has_its_own_other_registers(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue *q = fx->engine->queue;
	struct gpu_worker *w = &fx->engine->worker[0];

	q[1].gpu = 1;
	assert_ptr_equal(gpu_reg_find(w, &q[0], 0xc000), gpu_reg_find(w, &q[2], 0xc000));
	assert_ptr_not_equal(gpu_reg_find(w, &q[0], 0xdfff), gpu_reg_find(w, &q[1], 0xdfff));
}

static void test_others_are_not_kept(void **state)
{
	static const uint32_t bad[] = { 0, 0x2c00, 0x2dff, 0x2e80, 0xbfff, 0xe000, UINT32_MAX };
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		assert_null(gpu_reg_find(&fx->engine->worker[0], fx->engine->queue, bad[i]));
}

static void test_a_range_lies_within_one_kind(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = &fx->engine->worker[0];
	struct gpu_queue *q = fx->engine->queue;

	assert_non_null(gpu_reg_range(w, q, 0x2e00, 0x80));
	assert_null(gpu_reg_range(w, q, 0x2e00, 0x81));
	assert_null(gpu_reg_range(w, q, 0x2e7f, 2));
	assert_null(gpu_reg_range(w, q, 0x2e01, UINT32_MAX));
	assert_non_null(gpu_reg_range(w, q, 0xdfff, 1));
	assert_null(gpu_reg_range(w, q, 0xdfff, 2));
}

static void test_the_drivers_masks_are_loaded_when_a_queue_starts(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_PM4);
	struct gpu_worker *w = &fx->engine->worker[0];
	struct gpu_queue *q = fx->engine->queue;

	for (uint32_t i = 0; i < GPU_MAX_ENGINES; i++)
		cq->cu_mask[i] = 0x11 * (i + 1);
	fx_run(fx);
	assert_int_equal(*gpu_reg_find(w, q, 0x2e16), 0x11);
	assert_int_equal(*gpu_reg_find(w, q, 0x2e17), 0x22);
	assert_int_equal(*gpu_reg_find(w, q, 0x2e18), 0);
	assert_int_equal(*gpu_reg_find(w, q, 0x2e19), 0x33);
	assert_int_equal(*gpu_reg_find(w, q, 0x2e1a), 0x44);
	/* Told again while it runs; what the queue itself has set stays. */
	*gpu_reg_find(w, q, 0x2e40) = 5;
	cq->cu_mask[1] = 0x99;
	fx_want(fx, cq, GPU_WANT_RUN);
	fx_run(fx);
	assert_int_equal(*gpu_reg_find(w, q, 0x2e17), 0x99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_queue_has_its_own_dispatch_registers),
		FX_TEST(test_a_gpu_has_its_own_other_registers),
		FX_TEST(test_others_are_not_kept),
		FX_TEST(test_a_range_lies_within_one_kind),
		FX_TEST(test_the_drivers_masks_are_loaded_when_a_queue_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
