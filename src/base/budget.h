/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_BUDGET_H
#define VKFD_BASE_BUDGET_H

/**
 * DOC: How many of a thing somebody may have
 *
 * A count with a limit. What is taken is given back when the thing is gone; both may
 * be done by any task, without a lock.
 */
#include <stdatomic.h>
#include "base/macro.h"

struct vkf_budget {
	_Atomic uint64_t used;
	uint64_t limit; /* constant */
};

static inline void vkf_budget_init(struct vkf_budget *b, uint64_t limit)
{
	atomic_init(&b->used, 0);
	b->limit = limit;
}

/* One more. False: the limit is reached. */
static inline bool vkf_budget_take(struct vkf_budget *b)
{
	uint64_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

	/* A count alone: nobody concludes anything about other memory from it. */
	do {
		if (used >= b->limit)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&b->used, &used, used + 1,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* Whether @n more would be granted now: for who keeps others from taking meanwhile. */
static inline bool vkf_budget_has(const struct vkf_budget *b, uint64_t n)
{
	uint64_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

	return n <= b->limit && used <= b->limit - n;
}

/* One more of what vkf_budget_has() was asked for: cannot fail. */
static inline void vkf_budget_spend(struct vkf_budget *b)
{
	atomic_fetch_add_explicit(&b->used, 1, memory_order_relaxed);
}

static inline void vkf_budget_give(struct vkf_budget *b)
{
	uint64_t used = atomic_fetch_sub_explicit(&b->used, 1, memory_order_relaxed);

	VKF_ASSERT(used > 0);
	(void)used;
}

static inline uint64_t vkf_budget_used(const struct vkf_budget *b)
{
	return atomic_load_explicit(&b->used, memory_order_relaxed);
}

#endif
