/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/compare.h"

static void test_functions_have_the_hardware_numbers(void **state)
{
	static const char *const holds[GPU_COMPARE_FUNCS] = {
		/* 4, 5 and 6 against 5 */
		"yyy", "ynn", "yyn", "nyn", "yny", "nyy", "nny",
	};
	uint32_t func, i;

	for (func = 0; func < GPU_COMPARE_FUNCS; func++) {
		for (i = 0; i < 3; i++)
			assert_int_equal(gpu_compare(func, 4 + i, 5), holds[func][i] == 'y');
	}
}

static void test_values_are_unsigned(void **state)
{
	assert_false(gpu_compare(1, UINT32_MAX, 0));
	assert_true(gpu_compare(6, UINT32_MAX, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_have_the_hardware_numbers),
		cmocka_unit_test(test_values_are_unsigned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
