/* SPDX-License-Identifier: MIT */
#include "mm/gtt.h"

#include <errno.h>

int mm_bus_init(struct mm_bus *bus, uint64_t base, uint64_t bytes)
{
	int r = mm_buddy_init(&bus->buddy, bytes, VKF_PAGE_SHIFT);

	if (r)
		return r;
	vkf_mutex_init(&bus->lock, VKF_RANK_LEAF);
	bus->base = base;
	return 0;
}

void mm_bus_fini(struct mm_bus *bus)
{
	mm_buddy_fini(&bus->buddy);
	vkf_mutex_fini(&bus->lock);
}

static int bus_alloc(struct mm_bus *bus, uint64_t bytes, struct mm_buddy_block **ret_blocks)
{
	struct mm_buddy_request req = {
		.size = bytes,
		.min_block = VKF_PAGE_SIZE,
		.max_block = VKF_GIB(1),
	};
	int r;

	vkf_mutex_lock(&bus->lock);
	r = mm_buddy_alloc(&bus->buddy, &req, ret_blocks);
	vkf_mutex_unlock(&bus->lock);
	return r;
}

static void bus_free(struct mm_bus *bus, struct mm_buddy_block *blocks)
{
	vkf_mutex_lock(&bus->lock);
	mm_buddy_free(&bus->buddy, blocks);
	vkf_mutex_unlock(&bus->lock);
}

static struct mm_gtt *to_gtt(struct mm_manager *man)
{
	return vkf_container_of(man, struct mm_gtt, man);
}

static int count(struct mm_manager *man, uint64_t bytes)
{
	int r = 0;

	vkf_mutex_lock(&man->lock);
	if (bytes > man->size || man->used > man->size - bytes) {
		r = -ENOSPC;
	} else {
		man->used += bytes;
		man->n_resources++;
	}
	vkf_mutex_unlock(&man->lock);
	return r;
}

static void uncount(struct mm_manager *man, uint64_t bytes)
{
	vkf_mutex_lock(&man->lock);
	man->used -= bytes;
	man->n_resources--;
	vkf_mutex_unlock(&man->lock);
}

static int gtt_alloc(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
		     struct mm_resource *res)
{
	struct mm_gtt *gtt = to_gtt(man);
	int r = count(man, bytes);

	if (r)
		return r;
	r = bus_alloc(gtt->bus, bytes, &res->blocks);
	if (r) {
		uncount(man, bytes);
		return r;
	}
	res->man = man;
	res->base = gtt->bus->base;
	res->shift = VKF_PAGE_SHIFT;
	res->bytes = bytes;
	res->visible = 0;
	res->bo = NULL;
	mm_lru_node_init(&res->lru);
	return 0;
}

static void gtt_free(struct mm_manager *man, struct mm_resource *res)
{
	/* Out of sight first: who walks the list may look at the blocks. */
	mm_resource_make_unevictable(res);
	bus_free(to_gtt(man)->bus, res->blocks);
	uncount(man, res->bytes);
}

static const char *gtt_check(struct mm_manager *man)
{
	const char *why = man->used > man->size ? "more GTT in use than there is" : NULL;

	return why ? why : mm_lru_check(&man->lru);
}

static const struct mm_manager_ops gtt_ops = {
	.alloc = gtt_alloc,
	.free = gtt_free,
	.check = gtt_check,
};

void mm_gtt_init(struct mm_gtt *gtt, struct mm_bus *bus, const char *name, uint64_t size)
{
	mm_manager_init(&gtt->man, &gtt_ops, name, size);
	gtt->bus = bus;
}

void mm_gtt_fini(struct mm_gtt *gtt)
{
	mm_manager_fini(&gtt->man);
}
