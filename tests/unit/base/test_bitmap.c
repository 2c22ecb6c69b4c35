/* SPDX-License-Identifier: MIT */
#include "base/bitmap.h"

#include "support.h"

#define N_MAX 200

/* The slow twin: one bool for each bit. */
static void assert_equals_twin(const uint64_t *map, const bool *twin, unsigned int n)
{
	unsigned int i, zero = n, from = rnd(n + 2), set = n;

	for (i = n; i-- > 0;) {
		if (!twin[i])
			zero = i;
		if (twin[i] && i >= from)
			set = i;
	}
	assert_int_equal(vkf_bitmap_first_zero(map, n), zero);
	assert_int_equal(vkf_bitmap_next_set(map, n, from), set);
}

static void searches_agree_with_a_slow_twin(void **state)
{
	uint64_t map[VKF_BITMAP_WORDS(N_MAX)];
	bool twin[N_MAX];
	unsigned int n, i, round, density;

	for (round = 0; round < 4000; round++) {
		n = 1 + rnd(N_MAX);
		density = rnd(101);
		/* What lies above the size must not matter. */
		memset(map, rnd(2) ? 0xff : 0, sizeof(map));
		for (i = 0; i < n; i++) {
			twin[i] = rnd(100) < density;
			if (twin[i])
				vkf_bit_set(map, i);
			else
				vkf_bit_clear(map, i);
			assert_int_equal(vkf_bit_test(map, i), twin[i]);
		}
		assert_equals_twin(map, twin, n);
	}
}

static void full_and_empty_maps_give_the_size(void **state)
{
	uint64_t full[2] = { UINT64_MAX, UINT64_MAX }, empty[2] = { 0, 0 };

	assert_int_equal(vkf_bitmap_first_zero(full, 128), 128);
	assert_int_equal(vkf_bitmap_first_zero(full, 65), 65);
	assert_int_equal(vkf_bitmap_next_set(empty, 128, 0), 128);
}

static void a_map_of_no_bits_is_never_read(void **state)
{
	assert_int_equal(vkf_bitmap_first_zero(NULL, 0), 0);
	assert_int_equal(vkf_bitmap_next_set(NULL, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(searches_agree_with_a_slow_twin),
		cmocka_unit_test(full_and_empty_maps_give_the_size),
		cmocka_unit_test(a_map_of_no_bits_is_never_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
