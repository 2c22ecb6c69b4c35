/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static int try(const struct mm_va *va, uint64_t addr, uint64_t bytes)
{
	return mm_va_check(va, (vkf_gpuva){ addr }, bytes);
}

static void refuses_what_is_no_range_of_pages(void **state)
{
	struct mm_va va;

	mm_va_init(&va, 48);
	assert_int_equal(try(&va, 0x1000, 0x1000), 0);
	assert_int_equal(try(&va, 0, 0x1000), -EINVAL);
	assert_int_equal(try(&va, 0x1800, 0x1000), -EINVAL);
	assert_int_equal(try(&va, 0x1000, 0x1800), -EINVAL);
	assert_int_equal(try(&va, 0x1000, 0), -EINVAL);
}

static void ends_where_its_bits_do(void **state)
{
	static const unsigned int bits[] = { 48, 40 };

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t end = UINT64_C(1) << bits[i];
		struct mm_va va;

		mm_va_init(&va, bits[i]);
		assert_int_equal(try(&va, end - 0x1000, 0x1000), 0);
		assert_int_equal(try(&va, end - 0x1000, 0x2000), -EINVAL);
		assert_int_equal(try(&va, end, 0x1000), -EINVAL);
		assert_int_equal(try(&va, 0x1000, end - 0x1000), 0);
		assert_int_equal(try(&va, 0x1000, end), -EINVAL);
		assert_int_equal(try(&va, UINT64_MAX - 0xfff, 0x1000), -EINVAL);
		assert_int_equal(try(&va, 0x1000, UINT64_MAX - 0xfff), -EINVAL);
	}
}

static void refuses_what_is_taken_by_a_single_page(void **state)
{
	struct vkf_range range;
	struct mm_va va;

	mm_va_init(&va, 48);
	mm_va_insert(&va, &range, (vkf_gpuva){ 0x10000 }, 0x4000);
	assert_int_equal(try(&va, 0xf000, 0x1000), 0);
	assert_int_equal(try(&va, 0xf000, 0x2000), -EINVAL);
	assert_int_equal(try(&va, 0x13000, 0x1000), -EINVAL);
	assert_int_equal(try(&va, 0x11000, 0x1000), -EINVAL);
	assert_int_equal(try(&va, 0x8000, 0x20000), -EINVAL);
	assert_int_equal(try(&va, 0x14000, 0x1000), 0);
	mm_va_remove(&va, &range);
	assert_int_equal(try(&va, 0x10000, 0x4000), 0);
}

static void finds_what_covers_an_address(void **state)
{
	struct vkf_range range;
	struct mm_va va;

	mm_va_init(&va, 48);
	mm_va_insert(&va, &range, (vkf_gpuva){ 0x10000 }, 0x4000);
	assert_ptr_equal(mm_va_find(&va, (vkf_gpuva){ 0x10000 }), &range);
	assert_ptr_equal(mm_va_find(&va, (vkf_gpuva){ 0x13fff }), &range);
	assert_null(mm_va_find(&va, (vkf_gpuva){ 0x14000 }));
	assert_null(mm_va_find(&va, (vkf_gpuva){ 0xffff }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_no_range_of_pages),
		cmocka_unit_test(ends_where_its_bits_do),
		cmocka_unit_test(refuses_what_is_taken_by_a_single_page),
		cmocka_unit_test(finds_what_covers_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
