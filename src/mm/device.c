/* SPDX-License-Identifier: MIT */
#include "mm/device.h"

#include <errno.h>
#include "base/env.h"
#include "mm/private.h"

static uint64_t gtt_bytes(const struct mm_device_config *config, const struct mm_system *system)
{
	return config->gtt_bytes ? config->gtt_bytes : VKF_MAX(VKF_GIB(3), system->ram_bytes / 2);
}

int mm_device_create(struct mm_system *system, const struct mm_device_config *config,
		     struct mm_device **ret_dev)
{
	struct mm_device *dev;
	int r;

	if (config->va_bits != 48 && config->va_bits != 40)
		return -EINVAL;
	dev = vkf_zalloc(sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	r = mm_vram_init(&dev->vram, config->vram_bytes, config->visible_bytes);
	if (r) {
		vkf_free(dev);
		return r;
	}
	dev->system = system;
	dev->config = *config;
	mm_gtt_init(&dev->gtt, &system->bus, "GTT", gtt_bytes(config, system));
	mm_quota_add_gpu(&system->quota, &dev->quota, dev->vram.man.size);
	mm_timeline_init(&dev->moves, mm_system_new_context(system), config->ops, config->cookie);
	dev->moves.owner.dev = dev;
	dev->vram.man.policy = config->policy;
	dev->gtt.man.policy = config->policy;
	atomic_init(&dev->n_tables, 0);
	vkf_mutex_lock(&system->lock);
	vkf_list_add_tail(&dev->link, &system->devices);
	vkf_mutex_unlock(&system->lock);
	*ret_dev = dev;
	return 0;
}

void mm_device_destroy(struct mm_device *dev)
{
	if (!dev)
		return;
	vkf_mutex_lock(&dev->system->lock);
	vkf_list_del(&dev->link);
	vkf_mutex_unlock(&dev->system->lock);
	mm_timeline_fini(&dev->moves);
	mm_quota_remove_gpu(&dev->system->quota, &dev->quota);
	mm_gtt_fini(&dev->gtt);
	mm_vram_fini(&dev->vram);
	vkf_free(dev);
}

unsigned int mm_device_index(const struct mm_device *dev)
{
	return dev->config.index;
}

void mm_device_usage(struct mm_device *dev, struct mm_device_usage *ret_usage)
{
	struct mm_quota *quota = &dev->system->quota;
	struct mm_device_usage usage = {
		.vram_total = dev->vram.man.size,
		.visible_total = dev->vram.visible,
		.gtt_total = dev->gtt.man.size,
		.n_evicted = atomic_load_explicit(&dev->n_evicted, memory_order_relaxed),
		.evicted_bytes = atomic_load_explicit(&dev->evicted_bytes, memory_order_relaxed),
	};

	mm_vram_usage(&dev->vram, &usage.vram_managed, &usage.visible_managed);
	mm_manager_usage(&dev->gtt.man, &usage.gtt_used);
	usage.page_tables = VKF_PAGE_SIZE *
			    atomic_load_explicit(&dev->n_tables, memory_order_relaxed);
	vkf_mutex_lock(&quota->lock);
	usage.vram_used = dev->quota.used;
	usage.vram_used_aligned = dev->quota.used_aligned;
	vkf_mutex_unlock(&quota->lock);
	*ret_usage = usage;
}

uint64_t mm_device_available(struct mm_device *dev)
{
	return mm_quota_available(&dev->system->quota, &dev->quota);
}

int mm_device_retire_page(struct mm_device *dev, uint64_t offset)
{
	int r = mm_vram_retire(&dev->vram, offset);

	if (!r)
		mm_quota_add_bad(&dev->system->quota, &dev->quota, VKF_PAGE_SIZE);
	return r;
}

void mm_device_residents(struct mm_device *dev,
			 void (*fn)(void *cookie, uint32_t client, uint64_t bytes), void *cookie)
{
	struct mm_manager *man = &dev->vram.man;
	struct mm_lru_node *node;

	vkf_mutex_lock(&man->lock);
	for (node = mm_lru_next(&man->lru, NULL); node; node = mm_lru_next(&man->lru, node)) {
		const struct mm_bo *bo = vkf_container_of(node, struct mm_resource, lru)->bo;

		if (bo)
			fn(cookie, bo->client->config.number, bo->size);
	}
	vkf_mutex_unlock(&man->lock);
}
