/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "kfd/cu_mask.h"
#include "machine/asics.h"

static uint32_t se[KFD_MAX_SHADER_ENGINES];

static unsigned int n_units(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < KFD_MAX_SHADER_ENGINES; i++)
		n += (unsigned int)__builtin_popcount(se[i]);
	return n;
}

static void neighbours_land_on_different_engines(void **state)
{
	const struct machine_asic *vega10 = machine_asic_find("vega10");

	kfd_cu_mask_deal(vega10, (uint32_t[]){ 0x3f }, 32, se);
	assert_int_equal(se[0], 3);
	assert_int_equal(se[1], 3);
	assert_int_equal(se[2], 1);
	assert_int_equal(se[3], 1);
	kfd_cu_mask_deal(vega10, (uint32_t[]){ 0x110 }, 32, se);
	assert_int_equal(se[0], 6);
	assert_int_equal(n_units(), 2);
}

static void bits_beyond_the_units_do_not_count(void **state)
{
	const struct machine_asic *asic = machine_asic_find("aldebaran");
	uint32_t mask[32];

	memset(mask, 0xff, sizeof(mask));
	kfd_cu_mask_deal(asic, mask, 1024, se);
	assert_int_equal(n_units(), asic->cu_count);
	/* 104 units of 8 engines, 13 each. */
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(se[i], 0x1fff);
	mask[3] = 0x80;
	mask[0] = mask[1] = mask[2] = 0;
	kfd_cu_mask_deal(asic, mask, 128, se);
	assert_int_equal(se[7], 1u << 12);
	mask[3] = 0x100;
	kfd_cu_mask_deal(asic, mask, 128, se);
	assert_int_equal(n_units(), 0);
}

static void a_short_mask_leaves_the_rest_out(void **state)
{
	uint32_t mask[2] = { UINT32_MAX, UINT32_MAX };

	kfd_cu_mask_deal(machine_asic_find("vega10"), mask, 32, se);
	assert_int_equal(n_units(), 32);
}

static void what_does_not_work_is_passed_over(void **state)
{
	struct machine_asic asic = *machine_asic_find("vega10");
	uint32_t mask[2] = { 0, 0 };

	asic.cu_count = 62; /* two engines have one unit less */
	mask[1] = 3u << 28; /* the last two of them */
	kfd_cu_mask_deal(&asic, mask, 64, se);
	assert_int_equal(n_units(), 2);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int has =
			(unsigned int)__builtin_popcount(machine_asic_cu_mask(&asic, i, 0));

		assert_int_equal(se[i], has == 16 ? 1u << 15 : 0);
	}
}

static void arrays_have_half_a_word_each(void **state)
{
	struct machine_asic asic = *machine_asic_find("vega10");

	asic.shader_engines = 2;
	asic.arrays_per_engine = 2;
	kfd_cu_mask_deal(&asic, (uint32_t[]){ 0x1d }, 32, se);
	assert_int_equal(se[0], 1 | 1u << 16 | 2);
	assert_int_equal(se[1], 1u << 16);
}

static void pairs_stay_together(void **state)
{
	struct machine_asic asic = *machine_asic_find("vega10");

	asic.gfx_target = 100300;
	kfd_cu_mask_deal(&asic, (uint32_t[]){ 0x303 }, 32, se);
	assert_int_equal(se[0], 0xf);
	assert_int_equal(n_units(), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_land_on_different_engines),
		cmocka_unit_test(bits_beyond_the_units_do_not_count),
		cmocka_unit_test(a_short_mask_leaves_the_rest_out),
		cmocka_unit_test(what_does_not_work_is_passed_over),
		cmocka_unit_test(arrays_have_half_a_word_each),
		cmocka_unit_test(pairs_stay_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
