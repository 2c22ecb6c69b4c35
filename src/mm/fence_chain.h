/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_FENCE_CHAIN_H
#define VKFD_MM_FENCE_CHAIN_H

/**
 * DOC: Chains of fences
 *
 * A chain gives a timeline of 64-bit points to work of any origin. Each link is a
 * fence itself: it names its point, the work that reaches it, and the link before.
 * A link is signalled when its work and that of all before it is done, and always
 * without error; ask the work for that.
 *
 * A link carries on the context of the one before when its point is greater. Points
 * out of order do not go back: such a link begins a new context, at the greater of
 * the two points.
 *
 * Walking forgets links whose work is known to be signalled, so a chain is as long
 * as what is unfinished, plus what nobody has walked over. Its work is no chain;
 * it may be an array. The first link may come after a fence that is no link.
 *
 * Locks and callbacks are as in fence.h: link.base.lock protects @prev.
 */
#include "mm/fence.h"

/* struct mm_fence_chain - a link; only fence_chain.c looks inside, but for base */
struct mm_fence_chain {
	struct mm_fence base;
	struct mm_fence *prev; /* a reference; NULL when all before it are signalled; base.lock */
	struct mm_fence *work; /* a reference; constant */
	uint64_t prev_point;   /* of the link before in the same context, or 0; constant */
	struct mm_fence_cb cb; /* of the link that keeps this one from signalling */
};

/* NULL without memory. To be given to mm_fence_chain_init(), or to vkf_free(). */
struct mm_fence_chain *mm_fence_chain_alloc(void) VKF_MUST_CHECK;

/**
 * mm_fence_chain_init() - put @work at @point, after @prev
 * @prev: the last link, or any fence, or NULL; the reference is taken over
 * @work: no chain; the reference is taken over
 * @context: a new one, used where the link does not carry on that of @prev
 *
 * One reference to the link's fence, the caller's.
 */
void mm_fence_chain_init(struct mm_fence_chain *link, struct mm_fence *prev, struct mm_fence *work,
			 uint64_t point, uint64_t context);

/* The link that @f (may be NULL) is, or NULL. */
struct mm_fence_chain *mm_fence_to_chain(struct mm_fence *f);
/* The work of a link; of any other fence, itself. Borrowed from @f. */
struct mm_fence *mm_fence_chain_work(struct mm_fence *f);

/**
 * mm_fence_chain_walk() - the fence before @f that is not known to be signalled
 * @f: the reference is given up
 *
 * Return: a reference to a link, or to the fence before the first link; NULL at the end.
 */
struct mm_fence *mm_fence_chain_walk(struct mm_fence *f);

/* From @head back to the first. The body borrows @pos; who leaves it early puts @pos. */
#define mm_fence_chain_for_each(pos, head)                                                         \
	for (pos = mm_fence_get(head); pos; pos = mm_fence_chain_walk(pos))

/**
 * mm_fence_chain_find() - what to wait for until @point is reached
 * @head: the last link; borrowed
 * @ret_link: a reference; NULL: it is reached already
 *
 * Point 0 gives @head itself, whatever that is, also NULL.
 *
 * Return: 0; -EINVAL: @head is no link, or its point is less than @point.
 */
int mm_fence_chain_find(struct mm_fence *head, uint64_t point, struct mm_fence **ret_link);

#endif
