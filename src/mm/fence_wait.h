/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_FENCE_WAIT_H
#define VKFD_MM_FENCE_WAIT_H

/**
 * DOC: Waiting for several fences
 *
 * The caller keeps a reference to each fence until the wait is over. Locks are as in
 * mm_fence_wait(). A fence may be there more than once.
 */
#include <stddef.h>
#include "mm/fence.h"

/**
 * mm_fence_wait_any() - sleep until one of @fences is signalled
 * @deadline_ns: absolute, or VKF_FOREVER; one that has passed makes it a test, which polls, but
 *asks nobody to start signalling
 * @ret_first: the least index of one that is signalled
 *
 * Return: 0; -EINVAL: no fences; -ENOMEM, only when none is signalled yet; -ETIMEDOUT;
 * -ERESTARTSYS (512).
 */
int mm_fence_wait_any(struct mm_fence *const *fences, size_t n, uint64_t deadline_ns,
		      bool interruptible, size_t *ret_first);

/**
 * mm_fence_wait_all() - sleep until each of @fences is signalled
 * @deadline_ns: as for mm_fence_wait()
 *
 * Signalling is started for all of them before the first is waited for. None is fine.
 *
 * Return: 0, -ETIMEDOUT or -ERESTARTSYS (512).
 */
int mm_fence_wait_all(struct mm_fence *const *fences, size_t n, uint64_t deadline_ns,
		      bool interruptible);

#endif
