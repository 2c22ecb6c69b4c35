/* SPDX-License-Identifier: MIT */
#include "mm/pt_source.h"

#define LINK_KIND UINT64_C(0xfff)

uint64_t mm_pt_source_addr(const struct mm_pt_source *source)
{
	return mm_pt_source_is_valid(source) ? source->addr_base + source->walk.addr : 0;
}

void mm_pt_source_skip(struct mm_pt_source *source, uint64_t bytes)
{
	if (!mm_pt_source_is_valid(source))
		return;
	source->link += bytes;
	while (bytes) {
		uint64_t step = VKF_MIN(bytes, source->walk.left);

		VKF_ASSERT(step);
		mm_walk_advance(&source->walk, step);
		bytes -= step;
	}
}

unsigned int mm_pt_source_fragment(const struct mm_pt_source *source, uint64_t va, uint64_t end)
{
	if (!mm_pt_source_is_valid(source))
		return 0;
	return mm_pte_fragment(va, mm_pt_source_addr(source), VKF_MIN(source->walk.left, end - va));
}

bool mm_pt_source_fits_huge(const struct mm_pt_source *source, uint64_t va, uint64_t end)
{
	uint64_t all = va | mm_pt_source_addr(source) | (source->link & ~LINK_KIND);

	if (!VKF_IS_ALIGNED(all, VKF_HUGE_SIZE) || end - va < VKF_HUGE_SIZE)
		return false;
	return !mm_pt_source_is_valid(source) || source->walk.left >= VKF_HUGE_SIZE;
}

void mm_pt_block_at(const struct mm_pt_source *source, uint64_t va, uint64_t end, uint64_t at,
		    uint64_t *ret_start, uint64_t *ret_end)
{
	struct mm_pt_source s = *source;
	uint64_t bytes;

	VKF_ASSERT(va <= at && at < end);
	if (!mm_pt_source_is_valid(&s)) {
		*ret_start = VKF_MAX(va, VKF_ALIGN_DOWN(at, VKF_HUGE_SIZE));
		*ret_end = VKF_MIN(end, VKF_ALIGN_DOWN(at, VKF_HUGE_SIZE) + VKF_HUGE_SIZE);
		return;
	}
	for (;; va += bytes) {
		bytes = VKF_PAGE_SIZE << mm_pt_source_fragment(&s, va, end);
		if (at < va + bytes)
			break;
		mm_pt_source_skip(&s, bytes);
	}
	*ret_start = va;
	*ret_end = va + bytes;
}
