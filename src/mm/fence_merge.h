/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_FENCE_MERGE_H
#define VKFD_MM_FENCE_MERGE_H

/**
 * DOC: Taking containers apart, and putting fences together
 *
 * Unwrapping goes through a chain from its head, and through the array that each
 * link may hold, and yields fences that are no containers.
 *
 *	mm_fence_unwrap_for_each(f, &it, head) {
 *		...f is borrowed until the next turn...
 *	}
 *
 * Who leaves the loop early calls mm_fence_unwrap_end(&it).
 */
#include <stddef.h>
#include "mm/fence.h"

/* struct mm_fence_unwrap - where an iteration is; only fence_merge.c looks inside */
struct mm_fence_unwrap {
	struct mm_fence *pos; /* a reference: link or other fence, or NULL at the end */
	size_t index;         /* in the array that @pos is or holds */
};

/* NULL when @head is. */
struct mm_fence *mm_fence_unwrap_first(struct mm_fence_unwrap *it, struct mm_fence *head);
/* NULL at the end, and then there is nothing to end. */
struct mm_fence *mm_fence_unwrap_next(struct mm_fence_unwrap *it);
void mm_fence_unwrap_end(struct mm_fence_unwrap *it);

#define mm_fence_unwrap_for_each(f, it, head)                                                      \
	for (f = mm_fence_unwrap_first(it, head); f; f = mm_fence_unwrap_next(it))

/**
 * mm_fence_merge() - one fence that is signalled when all of @fences are
 * @fences: borrowed; containers, too; NULLs are passed over
 * @context: a new one, used when the result is an array
 * @ret_fence: with a reference. Nothing left to wait for: a signalled fence, with the time of the
 *	last signal. One fence left: that one. Else: an array of the latest of each context
 *
 * Return: 0 or -ENOMEM.
 */
int mm_fence_merge(struct mm_fence *const *fences, size_t n, uint64_t context,
		   struct mm_fence **ret_fence) VKF_MUST_CHECK;

#endif
