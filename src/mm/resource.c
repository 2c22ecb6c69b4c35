/* SPDX-License-Identifier: MIT */
#include "mm/resource.h"

#include "mm/fence.h"
#include "mm/print.h"

void mm_manager_init(struct mm_manager *man, const struct mm_manager_ops *ops, const char *name,
		     uint64_t size)
{
	man->ops = ops;
	man->name = name;
	vkf_mutex_init(&man->lock, VKF_RANK_LRU);
	man->size = size;
	man->used = 0;
	man->n_resources = 0;
	mm_lru_init(&man->lru);
	man->policy = 0;
	man->moving = NULL;
	vkf_cond_init(&man->freed);
}

void mm_manager_fini(struct mm_manager *man)
{
	VKF_ASSERT(man->n_resources == 0 && man->used == 0 && man->lru.n == 0);
	mm_fence_put(man->moving);
	vkf_mutex_fini(&man->lock);
}

int mm_manager_alloc(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
		     struct mm_resource *res)
{
	VKF_ASSERT(bytes && VKF_IS_ALIGNED(bytes, VKF_PAGE_SIZE));
	return man->ops->alloc(man, placement, bytes, res);
}

void mm_resource_free(struct mm_resource *res)
{
	struct mm_manager *man = res->man;

	if (!man)
		return;
	man->ops->free(man, res);
	res->man = NULL;
	res->blocks = NULL;
	vkf_cond_broadcast(&man->freed);
}

void mm_resource_take(struct mm_resource *to, struct mm_resource *from)
{
	VKF_ASSERT(!from->man || !mm_lru_has(&from->lru));
	*to = *from;
	mm_lru_node_init(&to->lru);
	from->man = NULL;
	from->blocks = NULL;
}

void mm_resource_hand_on(struct mm_resource *res, struct mm_fence *moved)
{
	struct mm_manager *man = res->man;
	struct mm_fence *before;

	vkf_mutex_lock(&man->lock);
	before = man->moving;
	man->moving = mm_fence_get(moved);
	vkf_mutex_unlock(&man->lock);
	mm_fence_put(before);
	mm_resource_free(res);
}

struct mm_fence *mm_manager_moving(struct mm_manager *man)
{
	struct mm_fence *f = NULL;

	vkf_mutex_lock(&man->lock);
	if (man->moving && !mm_fence_is_signalled(man->moving))
		f = mm_fence_get(man->moving);
	vkf_mutex_unlock(&man->lock);
	return f;
}

void mm_manager_usage(struct mm_manager *man, uint64_t *ret_used)
{
	vkf_mutex_lock(&man->lock);
	*ret_used = man->used;
	vkf_mutex_unlock(&man->lock);
}

static uint64_t evictable(const struct mm_manager *man)
{
	const struct mm_lru_node *node = NULL;
	uint64_t bytes = 0;

	while ((node = mm_lru_next(&man->lru, node)))
		bytes += vkf_container_of(node, const struct mm_resource, lru)->bytes;
	return bytes;
}

/* No limit is printed for one that has none. */
void mm_manager_print(struct mm_manager *man, const char *name, struct mm_print *p)
{
	vkf_mutex_lock(&man->lock);
	mm_print_object(p, name);
	mm_print_row(p, "usage");
	if (man->size != UINT64_MAX)
		mm_print_bytes(p, "size", man->size);
	mm_print_bytes(p, "used", man->used);
	mm_print_u64(p, "resources", man->n_resources);
	mm_print_end(p);
	mm_print_row(p, "lru");
	mm_print_u64(p, "discardable", man->lru.n_of[MM_LRU_DISCARDABLE]);
	mm_print_u64(p, "user", man->lru.n_of[MM_LRU_USER]);
	mm_print_u64(p, "kernel", man->lru.n_of[MM_LRU_KERNEL]);
	mm_print_bytes(p, "evictable", evictable(man));
	mm_print_end(p);
	if (man->ops->print)
		man->ops->print(man, p);
	mm_print_end(p);
	vkf_mutex_unlock(&man->lock);
}

void mm_resource_make_evictable(struct mm_resource *res, struct mm_bo *bo,
				enum mm_lru_priority priority)
{
	vkf_mutex_lock(&res->man->lock);
	res->bo = bo;
	mm_lru_add(&res->man->lru, &res->lru, priority);
	vkf_mutex_unlock(&res->man->lock);
}

void mm_resource_make_unevictable(struct mm_resource *res)
{
	vkf_mutex_lock(&res->man->lock);
	mm_lru_remove(&res->man->lru, &res->lru);
	vkf_mutex_unlock(&res->man->lock);
}

void mm_resource_touch(struct mm_resource *res)
{
	vkf_mutex_lock(&res->man->lock);
	mm_lru_touch(&res->man->lru, &res->lru);
	vkf_mutex_unlock(&res->man->lock);
}

bool mm_resource_is_within(const struct mm_resource *res, const struct mm_placement *placement)
{
	const struct mm_buddy_block *block = res->blocks;

	if (!placement->start && !placement->end)
		return true;
	for (; block; block = block->next) {
		uint64_t end = block->offset + (UINT64_C(1) << (block->order + res->shift));

		if (end > placement->start && (!placement->end || block->offset < placement->end))
			return true;
	}
	return false;
}

/* Take in the next block, and all that follow it without a gap. */
static void walk_load(struct mm_walk *w)
{
	w->left = 0;
	while (w->next) {
		uint64_t addr = w->base + w->next->offset;

		if (w->left && addr != w->addr + w->left)
			return;
		if (!w->left)
			w->addr = addr;
		w->left += UINT64_C(1) << (w->next->order + w->shift);
		w->next = w->next->next;
	}
}

void mm_walk_resource(struct mm_walk *w, const struct mm_resource *res)
{
	*w = (struct mm_walk){ .next = res->blocks, .base = res->base, .shift = res->shift };
	walk_load(w);
}

bool mm_resource_is_one_range(const struct mm_resource *res)
{
	struct mm_walk w;

	mm_walk_resource(&w, res);
	return w.left == res->bytes;
}

void mm_walk_range(struct mm_walk *w, uint64_t addr, uint64_t bytes)
{
	*w = (struct mm_walk){ .addr = addr, .left = bytes };
}

void mm_walk_advance(struct mm_walk *w, uint64_t bytes)
{
	VKF_ASSERT(bytes <= w->left);
	w->addr += bytes;
	w->left -= bytes;
	if (!w->left)
		walk_load(w);
}
