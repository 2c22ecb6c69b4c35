/* SPDX-License-Identifier: MIT */
#include "base/bitmap.h"

/* Word @i of @map, with the bits at and above @n clear. */
static uint64_t bitmap_word(const uint64_t *map, unsigned int n, unsigned int i)
{
	unsigned int below = n - i * 64;

	return below >= 64 ? map[i] : map[i] & ((UINT64_C(1) << below) - 1);
}

unsigned int vkf_bitmap_first_zero(const uint64_t *map, unsigned int n)
{
	unsigned int i, bit;

	for (i = 0; i < VKF_BITMAP_WORDS(n); i++) {
		if (map[i] == UINT64_MAX)
			continue;
		bit = i * 64 + __builtin_ctzll(~map[i]);
		return VKF_MIN(bit, n);
	}
	return n;
}

unsigned int vkf_bitmap_next_set(const uint64_t *map, unsigned int n, unsigned int from)
{
	uint64_t word;
	unsigned int i;

	if (from >= n)
		return n;
	i = from / 64;
	word = bitmap_word(map, n, i) & (UINT64_MAX << (from % 64));
	while (!word) {
		if (++i == VKF_BITMAP_WORDS(n))
			return n;
		word = bitmap_word(map, n, i);
	}
	return i * 64 + __builtin_ctzll(word);
}
