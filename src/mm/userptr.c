/* SPDX-License-Identifier: MIT */
#include "mm/userptr.h"

#include "base/list.h"

bool mm_userptr_is_valid(uint64_t addr, uint64_t bytes)
{
	if (!VKF_IS_ALIGNED(addr | bytes, VKF_PAGE_SIZE) || !addr || !bytes)
		return false;
	return bytes <= MM_USER_END && addr <= MM_USER_END - bytes;
}

void mm_userptr_init(struct mm_userptr *u, vkf_uptr addr, uint64_t bytes)
{
	VKF_ASSERT(mm_userptr_is_valid(addr.v, bytes));
	u->range.first = addr.v;
	u->range.last = addr.v + bytes - 1;
}

vkf_uptr mm_userptr_addr(const struct mm_userptr *u)
{
	return (vkf_uptr){ u->range.first };
}

static struct mm_userptr *to_userptr(struct vkf_range *range)
{
	return range ? vkf_container_of(range, struct mm_userptr, range) : NULL;
}

struct mm_userptr *mm_userptr_first(const struct vkf_ranges *tree, uint64_t first, uint64_t last)
{
	return to_userptr(vkf_ranges_first_overlap(tree, first, last));
}

struct mm_userptr *mm_userptr_next(struct mm_userptr *u, uint64_t first, uint64_t last)
{
	return to_userptr(vkf_ranges_next_overlap(&u->range, first, last));
}
