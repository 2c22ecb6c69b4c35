/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/dispatch.h"

static void test_a_launch_is_an_illegal_instruction(void **state)
{
	const struct gpu_dispatch d = { .word = 0x1234, .opcode = 0x15, .grid = { 1, 1, 1 } };
	struct fixture *fx = *state;
	struct gpu_worker *w = &fx->engine->worker[0];

	assert_int_equal(gpu_dispatch(w, fx->engine->queue, &d), -EINVAL);
	assert_int_equal(w->bad.word, 0x1234);
	assert_int_equal(w->bad.opcode, 0x15);
	assert_int_equal(w->bad.aql, 0x40000000);
}

static void test_a_launch_of_nothing_is_complete(void **state)
{
	struct fixture *fx = *state;

	for (unsigned int i = 0; i < 3; i++) {
		struct gpu_dispatch d = { .grid = { 1, 1, 1 } };

		d.grid[i] = 0;
		assert_int_equal(gpu_dispatch(&fx->engine->worker[0], fx->engine->queue, &d), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_launch_is_an_illegal_instruction),
		FX_TEST(test_a_launch_of_nothing_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
