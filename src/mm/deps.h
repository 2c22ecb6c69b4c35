/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_DEPS_H
#define VKFD_MM_DEPS_H

/**
 * DOC: What a job has to wait for
 *
 * A set of fences with a reference to each. Of one context only the latest is kept,
 * since it signals last; what has signalled already is not taken in, and is dropped
 * when room is needed. So the set grows with the contexts that are busy, not with
 * the fences that were added. Fences are in order of their contexts, which makes
 * the set the same for whatever order they came in.
 *
 * It belongs to one task and is not copied: a small set lies inside the struct.
 */
#include "mm/resv.h"

#define MM_DEPS_INLINE 4

/* struct mm_deps - for reading, @fences[0] to @fences[n - 1] */
struct mm_deps {
	struct mm_fence **fences; /* references; @few, or allocated */
	size_t n, room;
	struct mm_fence *few[MM_DEPS_INLINE];
};

void mm_deps_init(struct mm_deps *d);
/* Drops the references. */
void mm_deps_fini(struct mm_deps *d);
/* With a reference of its own. Return: 0, or -ENOMEM with nothing changed. */
int mm_deps_add(struct mm_deps *d, struct mm_fence *f) VKF_MUST_CHECK;
/* All that @usage asks for. Return: 0, or -ENOMEM: the set is whole, but may lack some. */
int mm_deps_add_resv_locked(struct mm_deps *d, struct mm_resv *r, enum mm_resv_usage usage)
	VKF_REQUIRES(r->lock) VKF_MUST_CHECK;

#endif
