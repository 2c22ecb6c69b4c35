/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "kfd/process.h"
#include "mm/bo.h"

#define CWSR_BYTES       8192u
#define EVENT_PAGE_BYTES (KFD_SIGNAL_EVENT_LIMIT * 8u)

static int map_bar(uint64_t offset, struct machine_map *ret_map)
{
	*ret_map = (struct machine_map){ MACHINE_MAP_BAR, offset, true };
	return 0;
}

/* Only a page that we made: the program has its own buffer mapped already. */
static int map_events(struct kfd_process *p, uint64_t len, struct machine_map *ret_map)
{
	int r = -EINVAL;

	if (len > EVENT_PAGE_BYTES)
		return -EINVAL;
	vkf_mutex_lock(&p->events.lock);
	if (p->events.page) {
		*ret_map = (struct machine_map){ MACHINE_MAP_ARENA, mm_bo_arena(p->events.page).v,
						 true };
		p->events.slot_bytes = len;
		r = 0;
	}
	vkf_mutex_unlock(&p->events.lock);
	return r;
}

/* The trap handler's pages are the driver's alone on a discrete GPU: nothing is there to map. */
static int map_reserved(uint64_t len)
{
	return len == CWSR_BYTES ? -ENOMEM : -EINVAL;
}

int kfd_mmap(struct kfd_process *owner, struct kfd_process *caller, uint64_t offset, uint64_t len,
	     struct machine_map *ret_map)
{
	struct kfd_process *p = caller;
	uint32_t gpu_id = offset >> KFD_MMAP_GPU_SHIFT & KFD_MMAP_GPU_MASK;
	enum kfd_mmap_type type = offset >> KFD_MMAP_TYPE_SHIFT;
	const struct machine_asic *asic;
	struct kfd_pdd *pdd;

	(void)owner; /* the kernel looks at who calls, not at who opened */
	if (!p)
		return -EINVAL;
	if (type == KFD_MMAP_EVENTS)
		return map_events(p, len, ret_map);
	pdd = kfd_pdd_by_id(p, gpu_id);
	if (!pdd)
		return -ENODEV;
	asic = &kfd_gpu_profile(p->driver, pdd->gpu)->asic;
	switch (type) {
	case KFD_MMAP_DOORBELL:
		if (len != kfd_doorbell_slice(asic))
			return -EINVAL;
		return map_bar(machine_doorbell_offset(pdd->gpu), ret_map);
	case KFD_MMAP_MMIO:
		if (len != VKF_PAGE_SIZE)
			return -EINVAL;
		return map_bar(machine_mmio_offset(pdd->gpu), ret_map);
	default:
		return map_reserved(len);
	}
}
