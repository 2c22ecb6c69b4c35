/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#define VA UINT64_C(0x7f0000123000)

static struct gpu_tlb tlb;
static uint64_t host, len;

static int clear(void **state)
{
	memset(&tlb, 0, sizeof(tlb));
	return 0;
}

static bool find(unsigned int gpu, uint32_t generation, uint64_t va, unsigned int access)
{
	return gpu_tlb_find(&tlb, gpu, generation, va, access, &host, &len);
}

static void test_an_empty_tlb_finds_nothing(void **state)
{
	assert_false(find(0, 0, 0, 0));
	assert_false(find(0, 0, VA, GPU_READ));
}

static void test_a_small_leaf_is_found_to_its_end(void **state)
{
	gpu_tlb_insert(&tlb, 1, 7, VA, GPU_SHIFT_SMALL, GPU_READ, 0x5000);
	assert_true(find(1, 7, VA + 0xff0, GPU_READ));
	assert_int_equal(host, 0x5ff0);
	assert_int_equal(len, 16);
	assert_false(find(1, 7, VA + 0x1000, GPU_READ));
	assert_false(find(1, 7, VA - 1, GPU_READ));
}

static void test_a_huge_leaf_is_found_to_its_end(void **state)
{
	gpu_tlb_insert(&tlb, 0, 7, VA, GPU_SHIFT_HUGE, GPU_READ, 0x40000000);
	assert_true(find(0, 7, VA, GPU_READ));
	assert_int_equal(host, 0x40000000 + (VA & 0x1fffff));
	assert_int_equal(len, 0x200000 - (VA & 0x1fffff));
	assert_false(find(0, 7, VA + 0x200000, GPU_READ));
}

static void test_another_gpu_generation_or_right_is_a_miss(void **state)
{
	gpu_tlb_insert(&tlb, 1, 7, VA, GPU_SHIFT_SMALL, GPU_READ, 0x5000);
	assert_false(find(0, 7, VA, GPU_READ));
	assert_false(find(1, 8, VA, GPU_READ));
	assert_false(find(1, 7, VA, GPU_WRITE));
	assert_false(find(1, 7, VA, GPU_READ | GPU_WRITE));
	assert_true(find(1, 7, VA, GPU_READ));
}

static void test_gpus_at_the_same_address_do_not_evict_each_other(void **state)
{
	unsigned int gpu;

	for (gpu = 0; gpu < GPU_MAX_GPUS; gpu++)
		gpu_tlb_insert(&tlb, gpu, 1, VA, GPU_SHIFT_SMALL, GPU_READ, gpu * 0x1000);
	for (gpu = 0; gpu < GPU_MAX_GPUS; gpu++) {
		assert_true(find(gpu, 1, VA, GPU_READ));
		assert_int_equal(host, gpu * 0x1000);
	}
}

static void test_drop_forgets_one_gpu_only(void **state)
{
	gpu_tlb_insert(&tlb, 0, 1, VA, GPU_SHIFT_SMALL, GPU_READ, 0x1000);
	gpu_tlb_insert(&tlb, 0, 1, VA, GPU_SHIFT_HUGE, GPU_READ, 0x200000);
	gpu_tlb_insert(&tlb, 1, 1, VA, GPU_SHIFT_SMALL, GPU_READ, 0x3000);
	gpu_tlb_drop(&tlb, 0);
	assert_false(find(0, 1, VA, GPU_READ));
	assert_true(find(1, 1, VA, GPU_READ));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_empty_tlb_finds_nothing, clear),
		cmocka_unit_test_setup(test_a_small_leaf_is_found_to_its_end, clear),
		cmocka_unit_test_setup(test_a_huge_leaf_is_found_to_its_end, clear),
		cmocka_unit_test_setup(test_another_gpu_generation_or_right_is_a_miss, clear),
		cmocka_unit_test_setup(test_gpus_at_the_same_address_do_not_evict_each_other,
				       clear),
		cmocka_unit_test_setup(test_drop_forgets_one_gpu_only, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
