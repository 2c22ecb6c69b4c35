/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PLACEMENT_H
#define VKFD_MM_PLACEMENT_H

/**
 * DOC: Where something may be placed
 *
 * A placement is the wish that goes with an allocation from a manager. mm_place()
 * is the only way from a wish to memory, for buffers and page tables alike: it
 * asks the manager, and makes room and asks again as long as that helps.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_bo_params;
struct mm_manager;
struct mm_resource;

struct mm_placement {
	bool contiguous;  /* one range is tried first */
	bool one_range;   /* and nothing else will do: for what is pinned for a peer */
	bool cpu_access;  /* bottom-up, and in what the CPU can see; else top-down */
	bool kernel_user; /* may use what is kept back from others */
	uint64_t start, end; /* VRAM offsets: all of it lies in [start, end); end 0: no upper bound */
};

/* What a buffer made from @params wishes. */
struct mm_placement mm_placement_of_bo(const struct mm_bo_params *params);
struct mm_placement mm_placement_of_table(void);

/* Return: 0 with @res filled; -ENOMEM: no room, and none can be made, or out of memory. */
int mm_place(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
	     struct mm_resource *res) VKF_MUST_CHECK;

#endif
