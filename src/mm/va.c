/* SPDX-License-Identifier: MIT */
#include "mm/va.h"

#include <errno.h>

void mm_va_init(struct mm_va *va, unsigned int bits)
{
	vkf_ranges_init(&va->ranges);
	va->end = UINT64_C(1) << bits;
}

int mm_va_check_range(const struct mm_va *va, vkf_gpuva addr, uint64_t bytes)
{
	if (!addr.v)
		return -EINVAL;
	if (!VKF_IS_ALIGNED(addr.v, VKF_PAGE_SIZE) || !VKF_IS_ALIGNED(bytes, VKF_PAGE_SIZE))
		return -EINVAL;
	if (!bytes || bytes > va->end || addr.v > va->end - bytes)
		return -EINVAL;
	return 0;
}

int mm_va_check(const struct mm_va *va, vkf_gpuva addr, uint64_t bytes)
{
	int r = mm_va_check_range(va, addr, bytes);

	if (r)
		return r;
	if (vkf_ranges_first_overlap(&va->ranges, addr.v, addr.v + bytes - 1))
		return -EINVAL;
	return 0;
}

void mm_va_insert(struct mm_va *va, struct vkf_range *range, vkf_gpuva addr, uint64_t bytes)
{
	range->first = addr.v;
	range->last = addr.v + bytes - 1;
	vkf_ranges_insert(&va->ranges, range);
}

void mm_va_remove(struct mm_va *va, struct vkf_range *range)
{
	vkf_ranges_remove(&va->ranges, range);
}

struct vkf_range *mm_va_find(const struct mm_va *va, vkf_gpuva addr)
{
	return vkf_ranges_first_overlap(&va->ranges, addr.v, addr.v);
}
