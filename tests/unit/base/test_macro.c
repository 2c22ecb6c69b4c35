/* SPDX-License-Identifier: MIT */
#include "base/macro.h"

#include "support.h"

static void alignment_rounds_to_powers_of_two(void **state)
{
	assert_int_equal(VKF_ALIGN_UP(UINT64_C(0), VKF_PAGE_SIZE), 0);
	assert_int_equal(VKF_ALIGN_UP(UINT64_C(1), VKF_PAGE_SIZE), 4096);
	assert_int_equal(VKF_ALIGN_UP(UINT64_C(4096), VKF_PAGE_SIZE), 4096);
	assert_int_equal(VKF_ALIGN_DOWN(UINT64_C(8191), VKF_PAGE_SIZE), 4096);
	assert_true(VKF_IS_ALIGNED(UINT64_C(8192), VKF_PAGE_SIZE));
	assert_false(VKF_IS_ALIGNED(UINT64_C(8191), VKF_PAGE_SIZE));
}

static void powers_of_two_have_one_bit(void **state)
{
	static const uint64_t yes[] = { 1, 2, VKF_PAGE_SIZE, UINT64_C(1) << 63 };
	static const uint64_t no[] = { 0, 3, 6, UINT64_MAX, (UINT64_C(1) << 63) + 1 };
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(yes); i++)
		assert_true(VKF_IS_POW2(yes[i]));
	for (i = 0; i < VKF_ARRAY_SIZE(no); i++)
		assert_false(VKF_IS_POW2(no[i]));
}

static void sizes_do_not_overflow_32_bits(void **state)
{
	assert_true(VKF_GIB(64) == UINT64_C(68719476736));
	assert_true(VKF_MIB(2) == VKF_HUGE_SIZE);
}

static void panic_calls_the_hook_with_its_text(void **state)
{
	EXPECT_PANIC("it broke", vkf_panic("f.c", 1, "it broke"));
}

static void assert_panics_in_checked_builds_only(void **state)
{
#ifdef VKFD_DEBUG
	int two = 2;

	EXPECT_PANIC("two == 3", VKF_ASSERT(two == 3));
	VKF_ASSERT(two == 2);
#else
	/* Not even evaluated. */
	int n = 0;

	VKF_ASSERT(n++ == 3);
	assert_int_equal(n, 0);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alignment_rounds_to_powers_of_two),
		cmocka_unit_test(powers_of_two_have_one_bit),
		cmocka_unit_test(sizes_do_not_overflow_32_bits),
		cmocka_unit_test(panic_calls_the_hook_with_its_text),
		cmocka_unit_test(assert_panics_in_checked_builds_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
