/* SPDX-License-Identifier: MIT */
#include "sim/region_sim.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/macro.h"

int sim_region_create(uint64_t size, struct sim_region *ret)
{
	uint64_t bytes = VKF_ALIGN_UP(size, VKF_PAGE_SIZE);
	uint64_t room = bytes + VKF_HUGE_SIZE;
	uintptr_t start, base;
	void *p;

	if (size == 0 || size > INT64_MAX - VKF_HUGE_SIZE)
		return -EINVAL;
	p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	start = (uintptr_t)p;
	base = VKF_ALIGN_UP(start, VKF_HUGE_SIZE);
	if (base > start)
		munmap((void *)start, base - start);
	if (base + bytes < start + room)
		munmap((void *)(base + bytes), start + room - (base + bytes));
	*ret = (struct sim_region){ .fd = -1, .base = (void *)base, .size = bytes };
	return 0;
}

void sim_region_destroy(struct sim_region *r)
{
	if (r->base)
		munmap(r->base, r->size);
	*r = (struct sim_region){ .fd = -1 };
}

int sim_region_punch(struct sim_region *r, uint64_t off, uint64_t len)
{
	if (!VKF_IS_ALIGNED(off | len, VKF_PAGE_SIZE) || off > r->size || len > r->size - off)
		return -EINVAL;
	if (len && madvise((char *)r->base + off, len, MADV_DONTNEED) < 0)
		return -errno;
	return 0;
}
