/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_BUDDY_PRIVATE_H
#define VKFD_MM_BUDDY_PRIVATE_H

/**
 * DOC: The nodes of a buddy allocator, for buddy*.c
 */
#include "mm/buddy.h"

enum { BLOCK_FREE, BLOCK_USED, BLOCK_SPLIT, BLOCK_HOLE };

union mm_buddy_pair {
	struct mm_buddy_block half[2]; /* lower, upper */
	union mm_buddy_pair *next;     /* of a spare one */
};

static inline uint64_t mm_buddy_order_bytes(const struct mm_buddy *b, unsigned int order)
{
	return UINT64_C(1) << (order + b->shift);
}

static inline int8_t mm_buddy_best_of_halves(const struct mm_buddy_block *block)
{
	return VKF_MAX(block->pair->half[0].best, block->pair->half[1].best);
}

#endif
