/* SPDX-License-Identifier: MIT */
#include "mm/placement.h"

#include <errno.h>
#include "mm/bo.h"
#include "mm/resource.h"

struct mm_placement mm_placement_of_bo(const struct mm_bo_params *params)
{
	return (struct mm_placement){
		.contiguous = params->contiguous,
		.cpu_access = params->cpu_access,
	};
}

struct mm_placement mm_placement_of_table(void)
{
	return (struct mm_placement){ .contiguous = true, .kernel_user = true };
}

/*
 * Evict something from @man, so that it is worth asking again. Nothing is evicted: contents
 * stay where they were placed, and who comes too late is told that memory is full.
 */
static int make_room(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes)
{
	return -ENOSPC;
}

int mm_place(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
	     struct mm_resource *res)
{
	int r;

	do {
		r = mm_manager_alloc(man, placement, bytes, res);
	} while (r == -ENOSPC && !make_room(man, placement, bytes));
	return r == -ENOSPC ? -ENOMEM : r;
}
