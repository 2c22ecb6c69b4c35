/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PLACEMENT_H
#define VKFD_MM_PLACEMENT_H

/**
 * DOC: Where something may be placed
 *
 * A placement is the wish that goes with an allocation from a manager. mm_place()
 * is the only way from a wish to memory, for buffers and page tables alike: it
 * asks the manager, and makes room (evict.h) and asks again as long as that helps.
 *
 * What it gives may still be on its way out for somebody else: mm_manager_moving()
 * tells what the new owner has to wait for before it touches it.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_bo_params;
struct mm_client;
struct mm_lock_ctx;
struct mm_manager;
struct mm_resource;

struct mm_placement {
	bool contiguous;  /* one range is tried first */
	bool one_range;   /* and nothing else will do: for what is pinned for a peer */
	bool cpu_access;  /* bottom-up, and in what the CPU can see; else top-down */
	bool kernel_user; /* may use what is kept back from others */
	uint64_t start, end; /* VRAM offsets: all of it lies in [start, end); end 0: no upper bound */
};

/* struct mm_op - who asks, and how far he goes for it */
struct mm_op {
	/* What he has locked, for waiting for a buffer that somebody else has locked: then -EDEADLK
	 * may come back, for mm_lock_ctx_retry(). NULL: he holds no reservation. */
	struct mm_lock_ctx *locks;
	/* Whose buffers stay where they are while its queues may run; NULL: nobody's. */
	struct mm_client *asker;
	bool interruptible;
	bool no_wait; /* pass by what is locked or dying: he holds what others may wait for */
};

/* What a buffer made from @params wishes. */
struct mm_placement mm_placement_of_bo(const struct mm_bo_params *params);
struct mm_placement mm_placement_of_table(void);

/**
 * mm_place() - memory from @man, from others if need be
 *
 * Return: 0 with @res filled; -ENOMEM: no room, and none can be made, or out of memory;
 * -ERESTARTSYS (512) when @op is interruptible; -EDEADLK with @op's locks released. What was
 * evicted on the way stays evicted.
 */
int mm_place(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
	     const struct mm_op *op, struct mm_resource *res) VKF_MUST_CHECK;

#endif
