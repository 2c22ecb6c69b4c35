/* SPDX-License-Identifier: MIT */
#include "mm/swap.h"

static int swap_alloc(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
		      struct mm_resource *res)
{
	vkf_mutex_lock(&man->lock);
	man->used += bytes;
	man->n_resources++;
	vkf_mutex_unlock(&man->lock);
	*res = (struct mm_resource){ .man = man, .bytes = bytes };
	mm_lru_node_init(&res->lru);
	return 0;
}

static void swap_free(struct mm_manager *man, struct mm_resource *res)
{
	mm_resource_make_unevictable(res);
	vkf_mutex_lock(&man->lock);
	man->used -= res->bytes;
	man->n_resources--;
	vkf_mutex_unlock(&man->lock);
}

static const char *swap_check(struct mm_manager *man)
{
	return mm_lru_check(&man->lru);
}

static void swap_print(struct mm_manager *man, struct mm_print *p)
{
}

static const struct mm_manager_ops swap_ops = {
	.alloc = swap_alloc,
	.free = swap_free,
	.check = swap_check,
	.print = swap_print,
};

void mm_swap_init(struct mm_swap *swap)
{
	mm_manager_init(&swap->man, &swap_ops, "system", UINT64_MAX);
}

void mm_swap_fini(struct mm_swap *swap)
{
	mm_manager_fini(&swap->man);
}
