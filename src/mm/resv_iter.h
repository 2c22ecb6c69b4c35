/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_RESV_ITER_H
#define VKFD_MM_RESV_ITER_H

/**
 * DOC: Reading a reservation without its lock
 *
 * Others may add fences meanwhile. An iteration begins again when they do, and says
 * so; once it has ended, what it gave since its last beginning is what there was at
 * one moment, less what had signalled. Whoever collects starts over with it:
 *
 *	mm_resv_iter_begin(&it, r, usage);
 *	while ((f = mm_resv_iter_next(&it))) {
 *		if (it.restarted)
 *			...forget what was collected...
 *		...f is borrowed until the next turn...
 *	}
 *	if (it.restarted)
 *		...forget what was collected: there was none left...
 *	mm_resv_iter_end(&it);
 *
 * Any task may do it that holds no lock of rank LRU or inner, with or without @r
 * locked. The reservation must stay.
 */
#include <stddef.h>
#include "mm/resv.h"

/* struct mm_resv_iter - on the stack of one task */
struct mm_resv_iter {
	struct mm_resv *resv; /* constant, as is @wanted */
	enum mm_resv_usage wanted;
	struct mm_fence *fence;   /* a reference to what was given last, or NULL */
	enum mm_resv_usage usage; /* of it */
	bool restarted;           /* none was given since the last beginning before @fence */
	unsigned int pos;
	bool begun;               /* @change says something */
	uint32_t change;          /* of the reservation, when it began last */
};

void mm_resv_iter_begin(struct mm_resv_iter *it, struct mm_resv *r, enum mm_resv_usage usage);
/* The next that is not signalled, borrowed until the next call; NULL at the end. */
struct mm_fence *mm_resv_iter_next(struct mm_resv_iter *it);
void mm_resv_iter_end(struct mm_resv_iter *it);

/* True when no unsignalled fence of @usage, or above it, is there. */
bool mm_resv_test_signalled(struct mm_resv *r, enum mm_resv_usage usage);

/**
 * mm_resv_get_fences() - all unsignalled fences of @usage and above it
 * @ret_fences: NULL when there is none; else to be put one by one, and freed with vkf_free()
 *
 * Return: 0 or -ENOMEM.
 */
int mm_resv_get_fences(struct mm_resv *r, enum mm_resv_usage usage, struct mm_fence ***ret_fences,
		       size_t *ret_n) VKF_MUST_CHECK;

/**
 * mm_resv_get_singleton() - the same as one fence
 * @context: a new one, for when there are many
 * @ret_fence: NULL, the only one, or an array; with a reference
 *
 * Return: 0 or -ENOMEM.
 */
int mm_resv_get_singleton(struct mm_resv *r, enum mm_resv_usage usage, uint64_t context,
			  struct mm_fence **ret_fence) VKF_MUST_CHECK;

/**
 * mm_resv_copy_locked() - let @dst have the fences of @src, with their usages, and no others
 *
 * @src is another reservation, locked or not. What is reserved in @dst stays reserved.
 *
 * Return: 0, or -ENOMEM with nothing changed.
 */
int mm_resv_copy_locked(struct mm_resv *dst, struct mm_resv *src)
	VKF_REQUIRES(dst->lock) VKF_MUST_CHECK;

#endif
