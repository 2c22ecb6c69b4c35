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
 *
 * A chunk that must never be given out again is withdrawn: at once when it is free,
 * else it is set aside first (mm_buddy_keep(), which may fail), so that taking it when
 * its owner gives it back (mm_buddy_withdraw()) needs no memory.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

union mm_buddy_pair;

/* struct mm_buddy_block - a node; the user of an allocated one reads offset, order and next */
struct mm_buddy_block {
	uint64_t offset;                     /* bytes */
	union {
		struct mm_buddy_block *next; /* of the same allocation, or NULL */
		union mm_buddy_pair *pair;  /* the two halves, when split */
	};
	struct mm_buddy_block *parent;
	uint8_t order;               /* of chunks: size is chunk << order */
	uint8_t state;
	int8_t best;                 /* greatest order free in it, -1: none */
};

/* struct mm_buddy - embed it; only buddy*.c looks inside */
struct mm_buddy {
	struct mm_buddy_block root;
	uint64_t size, n_free;        /* bytes */
	unsigned int shift;           /* log2 of a chunk */
	union mm_buddy_pair *spare;  /* unused pairs */
	unsigned int n_spare;
	unsigned int n_kept;          /* of the spare pairs: only for what mm_buddy_keep() was told of */
};

/* @size is rounded down to chunks of 1 << @shift bytes. Return: 0, -EINVAL (no chunk), -ENOMEM. */
int mm_buddy_init(struct mm_buddy *b, uint64_t size, unsigned int shift);
/* Everything has been freed. */
void mm_buddy_fini(struct mm_buddy *b);

struct mm_buddy_request {
	uint64_t size;                 /* bytes, whole chunks, > 0 */
	uint64_t min_block, max_block; /* powers of two; size is a multiple of min_block */
	uint64_t start, end;           /* blocks lie in [start, end); end 0: no upper bound */
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
/* The same in one piece, aligned to min_block (offset, not length), as a list in order of offset;
 * max_block is not looked at. */
int mm_buddy_alloc_contiguous(struct mm_buddy *b, const struct mm_buddy_request *req,
			      struct mm_buddy_block **ret_blocks);
/* NULL is fine. */
void mm_buddy_free(struct mm_buddy *b, struct mm_buddy_block *blocks);

static inline uint64_t mm_buddy_block_size(const struct mm_buddy *b,
					   const struct mm_buddy_block *block)
{
	return UINT64_C(1) << (block->order + b->shift);
}

/* Provide for one mm_buddy_withdraw(). Return: 0 or -ENOMEM. */
int mm_buddy_keep(struct mm_buddy *b);
/* What was provided will not be needed. */
void mm_buddy_unkeep(struct mm_buddy *b);
/*
 * Take the chunk at @offset if it is free, with what one mm_buddy_keep() provided, which is used up
 * then. It is freed like any other, so whoever has the block never does that, except at the end.
 *
 * Return: its block, or NULL when it is not free.
 */
struct mm_buddy_block *mm_buddy_withdraw(struct mm_buddy *b, uint64_t offset);
bool mm_buddy_is_free(const struct mm_buddy *b, uint64_t offset);

#endif
