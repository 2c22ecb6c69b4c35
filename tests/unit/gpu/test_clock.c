/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/clock.h"

static void test_ticks_follow_the_clock_rate(void **state)
{
	assert_int_equal(gpu_clock_ticks(1000000000, 100000), 100000000);
	assert_int_equal(gpu_clock_ticks(10, 100000), 1);
	assert_int_equal(gpu_clock_ticks(9, 100000), 0);
	assert_int_equal(gpu_clock_ticks(1000000, 27000), 27000);
}

static void test_ticks_do_not_wrap_within_centuries(void **state)
{
	const uint64_t century = UINT64_C(36524) * 86400;

	assert_int_equal(gpu_clock_ticks(century * 1000000000, 100000), century * 100000000);
}

static void test_ticks_never_go_back(void **state)
{
	uint64_t ns, last = 0;

	for (ns = 0; ns < 3000000; ns += 7) {
		assert_true(gpu_clock_ticks(ns, 99999) >= last);
		last = gpu_clock_ticks(ns, 99999);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks_follow_the_clock_rate),
		cmocka_unit_test(test_ticks_do_not_wrap_within_centuries),
		cmocka_unit_test(test_ticks_never_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
