/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_BUDDY_H
#define VKFD_MM_BUDDY_H

/**
 * DOC: The buddy allocator
 *
 * Hands out ranges of a space of any size, in blocks of a power of two of chunks,
 * each aligned to its own size. It knows nothing of what the space is, does not
 * lock (the owner does), and is used for VRAM, for bus addresses of system pages
 * and for the windows of an arena.
 *
 * Blocks are leaves of a binary tree; the rest of the tree above a size that is no
 * power of two is a hole that is never handed out. Each node knows the largest free
 * block below it, so the highest or lowest block that is large enough is found in
 * one descent. Split nodes come in pairs, one allocation each; some are kept for
 * the next split.
 *
 * An allocation is a list of blocks. Nothing is changed when it fails.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_buddy_pair;
struct mm_print;

/* struct mm_buddy_block - a node; the user of an allocated one reads offset, order and next */
struct mm_buddy_block {
	uint64_t offset;             /* bytes */
	struct mm_buddy_block *next; /* of the same allocation, or NULL */
	struct mm_buddy_block *parent;
	struct mm_buddy_pair *pair;  /* the two halves, when split */
	uint8_t order;               /* of chunks: size is chunk << order */
	uint8_t state;
	int8_t best;                 /* greatest order free in it, -1: none */
};

/* struct mm_buddy - embed it; only buddy.c looks inside */
struct mm_buddy {
	struct mm_buddy_block root;
	uint64_t size, n_free;        /* bytes */
	unsigned int shift;           /* log2 of a chunk */
	struct mm_buddy_pair *spare;  /* unused pairs */
	unsigned int n_spare;
};

/* @size is rounded down to chunks of 1 << @shift bytes. Return: 0, -EINVAL (no chunk), -ENOMEM. */
int mm_buddy_init(struct mm_buddy *b, uint64_t size, unsigned int shift);
/* Everything has been freed. */
void mm_buddy_fini(struct mm_buddy *b);

struct mm_buddy_request {
	uint64_t size;                 /* bytes, whole chunks, > 0 */
	uint64_t min_block, max_block; /* powers of two; size is a multiple of min_block */
	uint64_t end;                  /* blocks lie below it; bottom-up only, 0: no bound */
	bool top_down;
};

/**
 * mm_buddy_alloc() - allocate blocks that add up to a size
 *
 * The largest blocks that fit are taken first, each from the top (or the bottom) of what is free.
 *
 * Return: 0; -ENOSPC: not enough in large enough blocks; -ENOMEM: no memory for nodes.
 */
int mm_buddy_alloc(struct mm_buddy *b, const struct mm_buddy_request *req,
		   struct mm_buddy_block **ret_blocks);
/* The same in one piece, aligned to min_block, as a list in order of offset; max_block is not
 * looked at. */
int mm_buddy_alloc_contiguous(struct mm_buddy *b, const struct mm_buddy_request *req,
			      struct mm_buddy_block **ret_blocks);
/* NULL is fine. */
void mm_buddy_free(struct mm_buddy *b, struct mm_buddy_block *blocks);

static inline uint64_t mm_buddy_block_size(const struct mm_buddy *b,
					   const struct mm_buddy_block *block)
{
	return UINT64_C(1) << (block->order + b->shift);
}

/* What does not hold, or NULL. */
const char *mm_buddy_check(const struct mm_buddy *b);
/* How much is free in blocks of each order. */
void mm_buddy_print(const struct mm_buddy *b, struct mm_print *p);

#endif
