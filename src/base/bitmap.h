/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_BITMAP_H
#define VKFD_BASE_BITMAP_H

/**
 * DOC: Fixed bitmaps in arrays of 64-bit words, owned and locked by the caller
 *
 * Bits at and above the given size are never looked at.
 */
#include "base/macro.h"

#define VKF_BITMAP_WORDS(n) (((n) + 63) / 64)

static inline bool vkf_bit_test(const uint64_t *map, unsigned int bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void vkf_bit_set(uint64_t *map, unsigned int bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void vkf_bit_clear(uint64_t *map, unsigned int bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/* The lowest clear bit below @n, or @n. */
unsigned int vkf_bitmap_first_zero(const uint64_t *map, unsigned int n);
/* The lowest set bit >= @from below @n, or @n. */
unsigned int vkf_bitmap_next_set(const uint64_t *map, unsigned int n, unsigned int from);

#endif
