/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_REF_H
#define VKFD_BASE_REF_H

/**
 * DOC: Reference counts
 *
 * Starts at one, owned by the creator. vkf_ref_put() tells the caller that drops
 * the last one, and only that caller, to destroy the object.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include "base/macro.h"

struct vkf_ref {
	atomic_uint n;
};

static inline void vkf_ref_init(struct vkf_ref *r)
{
	atomic_init(&r->n, 1);
}

static inline void vkf_ref_get(struct vkf_ref *r)
{
	unsigned int old = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);

	VKF_ASSERT(old != 0 && old < UINT32_MAX / 2);
	(void)old;
}

/* For who found the object in a list that does not hold a reference: false when it is dying. */
static inline bool vkf_ref_get_unless_zero(struct vkf_ref *r)
{
	unsigned int n = atomic_load_explicit(&r->n, memory_order_relaxed);

	do {
		if (n == 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&r->n, &n, n + 1, memory_order_acquire,
							memory_order_relaxed));
	return true;
}

/* True when this was the last reference. */
static inline bool vkf_ref_put(struct vkf_ref *r)
{
	unsigned int old = atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel);

	VKF_ASSERT(old != 0);
	return old == 1;
}

static inline unsigned int vkf_ref_read(const struct vkf_ref *r)
{
	return atomic_load_explicit(&r->n, memory_order_relaxed);
}

#endif
