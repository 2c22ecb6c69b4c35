/* SPDX-License-Identifier: MIT */
#include "mm/vram.h"

#include <errno.h>
#include "base/env.h"
#include "mm/buddy_report.h"
#include "mm/print.h"

#define NO_BOUND (UINT64_C(1) << 62)

/* struct retired - a page that is bad */
struct retired {
	struct vkf_list link;
	uint64_t offset;
	struct mm_buddy_block *block; /* NULL: its owner still has it */
};

static struct mm_vram *to_vram(struct mm_manager *man)
{
	return vkf_container_of(man, struct mm_vram, man);
}

static uint64_t min_block(uint64_t bytes)
{
	return VKF_IS_ALIGNED(bytes, VKF_HUGE_SIZE) ? VKF_HUGE_SIZE : VKF_PAGE_SIZE;
}

static void request_init(const struct mm_vram *vram, const struct mm_placement *placement,
			 struct mm_buddy_request *req)
{
	*req = (struct mm_buddy_request){
		.max_block = NO_BOUND,
		.start = placement->start,
		.end = placement->end ? VKF_MIN(placement->end, vram->man.size) : vram->man.size,
		.top_down = !placement->cpu_access,
	};
	if (placement->cpu_access)
		req->end = VKF_MIN(req->end, vram->visible);
}

static int alloc_blocks(struct mm_vram *vram, const struct mm_placement *placement, uint64_t bytes,
			struct mm_buddy_block **ret_blocks)
{
	struct mm_buddy_request req;
	int r;

	request_init(vram, placement, &req);
	/* No bound above is what 0 would say to the buddy. */
	if (req.start >= req.end || bytes > req.end - req.start)
		return -ENOSPC;
	req.size = bytes;
	/* Aligned to 2 MiB if it can be, or a large one would need a table for every 2 MiB. */
	req.min_block = min_block(bytes);
	if (placement->contiguous || placement->one_range) {
		r = mm_buddy_alloc_contiguous(&vram->buddy, &req, ret_blocks);
		if (r == -ENOSPC && req.min_block != VKF_PAGE_SIZE) {
			req.min_block = VKF_PAGE_SIZE;
			r = mm_buddy_alloc_contiguous(&vram->buddy, &req, ret_blocks);
			req.min_block = min_block(bytes);
		}
		if (r != -ENOSPC || placement->one_range)
			return r;
	}
	return mm_buddy_alloc(&vram->buddy, &req, ret_blocks);
}

static uint64_t visible_part(const struct mm_vram *vram, const struct mm_buddy_block *blocks)
{
	uint64_t sum = 0;

	for (; blocks; blocks = blocks->next) {
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

/* ------------------------------------------------ bad pages */

static struct retired *find_retired(const struct mm_vram *vram, uint64_t offset)
{
	struct retired *page;

	vkf_list_for_each(page, &vram->retired, link) {
		if (page->offset == VKF_ALIGN_DOWN(offset, VKF_PAGE_SIZE))
			return page;
	}
	return NULL;
}

/* Take those out of use whose owners have given them back. */
static void withdraw_pages(struct mm_vram *vram)
{
	struct retired *page;

	if (!vram->n_retiring)
		return;
	vkf_list_for_each(page, &vram->retired, link) {
		if (page->block)
			continue;
		page->block = mm_buddy_withdraw(&vram->buddy, page->offset);
		if (!page->block)
			continue;
		vram->n_retiring--;
		vram->n_retired++;
		vram->man.used += VKF_PAGE_SIZE;
		vram->visible_used += page->offset < vram->visible ? VKF_PAGE_SIZE : 0;
	}
}

static int retire_locked(struct mm_vram *vram, struct retired *page) VKF_REQUIRES(vram->man.lock)
{
	int r;

	if (find_retired(vram, page->offset))
		return -EEXIST;
	r = mm_buddy_keep(&vram->buddy);
	if (r)
		return r;
	vkf_list_add_tail(&page->link, &vram->retired);
	vram->n_retiring++;
	withdraw_pages(vram);
	return 0;
}

int mm_vram_retire(struct mm_vram *vram, uint64_t offset)
{
	struct retired *page;
	int r;

	if (!VKF_IS_ALIGNED(offset, VKF_PAGE_SIZE) || offset >= vram->man.size)
		return -EINVAL;
	page = vkf_zalloc(sizeof(*page));
	if (!page)
		return -ENOMEM;
	page->offset = offset;
	vkf_mutex_lock(&vram->man.lock);
	r = retire_locked(vram, page);
	vkf_mutex_unlock(&vram->man.lock);
	if (r)
		vkf_free(page);
	return r;
}

int mm_vram_page_status(struct mm_vram *vram, uint64_t offset)
{
	const struct retired *page;
	int r = -ENOENT;

	vkf_mutex_lock(&vram->man.lock);
	page = find_retired(vram, offset);
	if (page)
		r = page->block ? 0 : -EBUSY;
	vkf_mutex_unlock(&vram->man.lock);
	return r;
}

uint64_t mm_vram_retired(struct mm_vram *vram)
{
	uint64_t bytes;

	vkf_mutex_lock(&vram->man.lock);
	bytes = vram->n_retired * VKF_PAGE_SIZE;
	vkf_mutex_unlock(&vram->man.lock);
	return bytes;
}

static void forget_retired(struct mm_vram *vram)
{
	struct retired *page, *next;

	VKF_ASSERT(vram->n_retiring == 0);
	vkf_list_for_each_safe(page, next, &vram->retired, link) {
		mm_buddy_free(&vram->buddy, page->block);
		vkf_free(page);
	}
	vram->man.used -= vram->n_retired * VKF_PAGE_SIZE;
}

/* ------------------------------------------------ the rest of a manager */

static void vram_free(struct mm_manager *man, struct mm_resource *res)
{
	struct mm_vram *vram = to_vram(man);

	vkf_mutex_lock(&vram->man.lock);
	mm_lru_remove(&vram->man.lru, &res->lru);
	mm_buddy_free(&vram->buddy, res->blocks);
	vram->man.used -= res->bytes;
	vram->man.n_resources--;
	vram->visible_used -= res->visible;
	withdraw_pages(vram);
	vkf_mutex_unlock(&vram->man.lock);
}

static const char *check_retired(const struct mm_vram *vram)
{
	uint64_t n_retired = 0, n_retiring = 0;
	const struct retired *page;

	vkf_list_for_each(page, &vram->retired, link) {
		n_retired += page->block != NULL;
		n_retiring += page->block == NULL;
		if (!page->block && mm_buddy_is_free(&vram->buddy, page->offset))
			return "a bad page is free";
		if (page->block && (page->block->offset != page->offset || page->block->order))
			return "a retired page is not the one that is bad";
	}
	if (n_retired != vram->n_retired || n_retiring != vram->n_retiring)
		return "bad pages are not as many as were counted";
	return NULL;
}

static const char *vram_check(struct mm_manager *man)
{
	struct mm_vram *vram = to_vram(man);
	const char *why = mm_buddy_check(&vram->buddy);

	if (!why && man->used != vram->buddy.size - vram->buddy.n_free)
		why = "VRAM in use is not what the buddy gave out";
	if (!why && vram->visible_used > VKF_MIN(vram->visible, man->used))
		why = "more visible VRAM in use than there can be";
	if (!why)
		why = check_retired(vram);
	return why ? why : mm_lru_check(&man->lru);
}

static void vram_print(struct mm_manager *man, struct mm_print *p)
{
	struct mm_vram *vram = to_vram(man);

	mm_print_row(p, "visible");
	mm_print_bytes(p, "size", vram->visible);
	mm_print_bytes(p, "used", vram->visible_used);
	mm_print_end(p);
	mm_print_row(p, "retired");
	mm_print_bytes(p, "bytes", vram->n_retired * VKF_PAGE_SIZE);
	mm_print_bytes(p, "still_owned", vram->n_retiring * VKF_PAGE_SIZE);
	mm_print_end(p);
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
	vkf_list_init(&vram->retired);
	vram->n_retired = 0;
	vram->n_retiring = 0;
	return 0;
}

void mm_vram_fini(struct mm_vram *vram)
{
	forget_retired(vram);
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
