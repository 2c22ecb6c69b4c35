/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_FENCE_ARRAY_H
#define VKFD_MM_FENCE_ARRAY_H

/**
 * DOC: Several fences as one
 *
 * An array is signalled when all of its fences are, with the error of the first that
 * had one; or, when it is for any, with the first of them that is signalled, and as
 * that one was. It cares about none of them before somebody cares about it.
 *
 * Its fences are no containers: see fence_merge.h. Once enabled, an array for any
 * stays, with its fences, until each of them has signalled.
 */
#include <stddef.h>
#include "mm/fence.h"

/**
 * mm_fence_array_create() - one fence for @n > 0 others
 * @fences: it takes references of its own
 * @any: signalled with one of them, instead of with all
 *
 * Return: 0 or -ENOMEM.
 */
int mm_fence_array_create(struct mm_fence *const *fences, size_t n, uint64_t context,
			  uint64_t seqno, bool any, struct mm_fence **ret_fence) VKF_MUST_CHECK;

bool mm_fence_is_array(const struct mm_fence *f);
/* How many fences are in @f; 0 when it is no array. */
size_t mm_fence_array_len(const struct mm_fence *f);
/* The @i-th, borrowed from @f, an array. */
struct mm_fence *mm_fence_array_at(struct mm_fence *f, size_t i);

#endif
