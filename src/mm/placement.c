/* SPDX-License-Identifier: MIT */
#include "mm/placement.h"

#include <errno.h>
#include "mm/bo.h"
#include "mm/evict.h"
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

/* Others leave until it is there. */
static int place_instead(struct mm_manager *man, const struct mm_placement *placement,
			 uint64_t bytes, const struct mm_op *op, struct mm_resource *res)
{
	struct mm_evict_walk walk;
	int r;

	mm_evict_begin(&walk, man);
	do {
		r = mm_evict_one(&walk, placement, op);
		if (r)
			break;
		r = mm_manager_alloc(man, placement, bytes, res);
	} while (r == -ENOSPC);
	mm_evict_end(&walk);
	return r == -ENOSPC ? -ENOMEM : r;
}

int mm_place(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
	     const struct mm_op *op, struct mm_resource *res)
{
	int r;

	/* What can never fit costs nobody his place. */
	if (bytes > man->size)
		return -ENOMEM;
	r = mm_manager_alloc(man, placement, bytes, res);
	return r == -ENOSPC ? place_instead(man, placement, bytes, op, res) : r;
}
