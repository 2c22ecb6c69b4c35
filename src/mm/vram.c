/* SPDX-License-Identifier: MIT */
#include "mm/vram.h"

#include <errno.h>
#include "mm/print.h"

#define MAX_PIECE VKF_GIB(2)

static struct mm_vram *to_vram(struct mm_manager *man)
{
	return vkf_container_of(man, struct mm_vram, man);
}

static uint64_t min_block(uint64_t left)
{
	bool huge = left >= VKF_HUGE_SIZE && VKF_IS_ALIGNED(left, VKF_HUGE_SIZE);

	return huge ? VKF_HUGE_SIZE : VKF_PAGE_SIZE;
}

static void request_init(const struct mm_vram *vram, const struct mm_placement *placement,
			 struct mm_buddy_request *req)
{
	*req = (struct mm_buddy_request){ .max_block = MAX_PIECE };
	req->top_down = !placement->cpu_access;
	if (placement->cpu_access)
		req->end = vram->visible;
}

static int alloc_pieces(struct mm_vram *vram, struct mm_buddy_request *req, uint64_t bytes,
			struct mm_buddy_block **ret_blocks)
{
	struct mm_buddy_block *head = NULL, **tail = &head;
	uint64_t left = bytes;

	while (left) {
		int r;

		req->size = VKF_MIN(left, MAX_PIECE);
		req->min_block = min_block(req->size);
		r = mm_buddy_alloc(&vram->buddy, req, tail);
		if (r) {
			mm_buddy_free(&vram->buddy, head);
			return r;
		}
		while (*tail)
			tail = &(*tail)->next;
		left -= req->size;
	}
	*ret_blocks = head;
	return 0;
}

static int alloc_blocks(struct mm_vram *vram, const struct mm_placement *placement, uint64_t bytes,
			struct mm_buddy_block **ret_blocks)
{
	struct mm_buddy_request req;
	int r;

	request_init(vram, placement, &req);
	if (placement->contiguous) {
		req.size = bytes;
		req.min_block = VKF_PAGE_SIZE;
		r = mm_buddy_alloc_contiguous(&vram->buddy, &req, ret_blocks);
		if (r != -ENOSPC)
			return r;
	}
	return alloc_pieces(vram, &req, bytes, ret_blocks);
}

static uint64_t visible_part(const struct mm_vram *vram, const struct mm_buddy_block *blocks)
{
	uint64_t sum = 0;

	for (; blocks && vram->visible < vram->man.size; blocks = blocks->next) {
		uint64_t end = blocks->offset + mm_buddy_block_size(&vram->buddy, blocks);

		if (blocks->offset < vram->visible)
			sum += VKF_MIN(end, vram->visible) - blocks->offset;
	}
	return sum;
}

static int vram_alloc_locked(struct mm_vram *vram, const struct mm_placement *placement,
			     uint64_t bytes, struct mm_resource *res) VKF_REQUIRES(vram->man.lock)
{
	uint64_t limit = vram->man.size;
	int r;

	if (!placement->kernel_user)
		limit -= VKF_MIN(limit, MM_VRAM_KEPT_BACK);
	if (bytes > limit || vram->man.used > limit - bytes)
		return -ENOSPC;
	r = alloc_blocks(vram, placement, bytes, &res->blocks);
	if (r)
		return r;
	res->visible = vram->visible < vram->man.size ? visible_part(vram, res->blocks) : bytes;
	vram->man.used += bytes;
	vram->man.n_resources++;
	vram->visible_used += res->visible;
	return 0;
}

static int vram_alloc(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
		      struct mm_resource *res)
{
	struct mm_vram *vram = to_vram(man);
	int r;

	vkf_mutex_lock(&vram->man.lock);
	r = vram_alloc_locked(vram, placement, bytes, res);
	vkf_mutex_unlock(&vram->man.lock);
	if (r)
		return r;
	res->man = man;
	res->base = 0;
	res->shift = VKF_PAGE_SHIFT;
	res->bytes = bytes;
	res->bo = NULL;
	mm_lru_node_init(&res->lru);
	return 0;
}

static void vram_free(struct mm_manager *man, struct mm_resource *res)
{
	struct mm_vram *vram = to_vram(man);

	vkf_mutex_lock(&vram->man.lock);
	mm_lru_remove(&vram->man.lru, &res->lru);
	mm_buddy_free(&vram->buddy, res->blocks);
	vram->man.used -= res->bytes;
	vram->man.n_resources--;
	vram->visible_used -= res->visible;
	vkf_mutex_unlock(&vram->man.lock);
}

static const char *vram_check(struct mm_manager *man)
{
	struct mm_vram *vram = to_vram(man);
	const char *why = mm_buddy_check(&vram->buddy);

	if (!why && man->used != vram->buddy.size - vram->buddy.n_free)
		why = "VRAM in use is not what the buddy gave out";
	if (!why && vram->visible_used > VKF_MIN(vram->visible, man->used))
		why = "more visible VRAM in use than there can be";
	return why ? why : mm_lru_check(&man->lru);
}

static void vram_print(struct mm_manager *man, struct mm_print *p)
{
	struct mm_vram *vram = to_vram(man);

	mm_print(p, "  visible %" PRIu64 " of %" PRIu64 " KiB\n", vram->visible_used >> 10,
		 vram->visible >> 10);
	mm_buddy_print(&vram->buddy, p);
}

static const struct mm_manager_ops vram_ops = {
	.alloc = vram_alloc,
	.free = vram_free,
	.check = vram_check,
	.print = vram_print,
};

int mm_vram_init(struct mm_vram *vram, uint64_t size, uint64_t visible)
{
	int r = mm_buddy_init(&vram->buddy, size, VKF_PAGE_SHIFT);

	if (r)
		return r;
	mm_manager_init(&vram->man, &vram_ops, "VRAM", vram->buddy.size);
	vram->visible = VKF_ALIGN_DOWN(VKF_MIN(visible, vram->man.size), VKF_PAGE_SIZE);
	vram->visible_used = 0;
	return 0;
}

void mm_vram_fini(struct mm_vram *vram)
{
	mm_manager_fini(&vram->man);
	mm_buddy_fini(&vram->buddy);
}

void mm_vram_usage(struct mm_vram *vram, uint64_t *ret_used, uint64_t *ret_visible_used)
{
	vkf_mutex_lock(&vram->man.lock);
	*ret_used = vram->man.used;
	*ret_visible_used = vram->visible_used;
	vkf_mutex_unlock(&vram->man.lock);
}
